// The shell: off-canvas rail on a phone, menus, parts that fold, Ctrl+K, the way back to sign-in.
(() => {
  const rail = document.getElementById("rail");
  const stage = document.getElementById("stage");
  const veil = document.querySelector("[data-rail-close]");
  const opener = document.querySelector("[data-rail-open]");
  const palette = document.getElementById("palette");

  function showRail(open) {
    rail.classList.toggle("is-open", open);
    veil.hidden = !open;
    stage.inert = open;
    opener.setAttribute("aria-expanded", String(open));
    (open ? rail.querySelector(".rail-link") : opener)?.focus();
  }

  opener?.addEventListener("click", () => showRail(true));
  veil?.addEventListener("click", () => showRail(false));
  window.matchMedia("(min-width: 62rem)").addEventListener("change", (wide) => {
    if (wide.matches && rail?.classList.contains("is-open")) showRail(false);
  });

  function openPalette() {
    if (!palette || palette.open) return;
    palette.showModal();
    palette.querySelector("input").select();
  }

  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("[data-menu][open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
    if (event.target.closest("[data-palette-open]")) openPalette();
    const toggle = event.target.closest("[data-toggle]");
    if (toggle) {
      const part = document.getElementById(toggle.dataset.toggle);
      part.hidden = !part.hidden;
      toggle.setAttribute("aria-expanded", String(!part.hidden));
    }
  });

  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k" && palette) {
      event.preventDefault();
      openPalette();
    }
    if (event.key === "Escape") {
      palette?.close(); // a search field takes the first Escape to empty itself
      if (rail?.classList.contains("is-open")) showRail(false);
      for (const menu of document.querySelectorAll("[data-menu][open]")) {
        menu.open = false;
        menu.querySelector("summary").focus();
      }
    }
    if (palette?.open && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      const stops = [palette.querySelector("input"), ...palette.querySelectorAll(".palette-hit")];
      const step = event.key === "ArrowDown" ? 1 : stops.length - 1;
      stops[(stops.indexOf(document.activeElement) + step) % stops.length].focus();
    }
  });

  // a menu that would reach beyond the window moves back into it
  document.addEventListener("toggle", (event) => {
    const list = event.target.matches?.("[data-menu][open]") ? event.target.querySelector(".menu-list") : null;
    if (!list) return;
    list.style.translate = "none";
    const { left, right } = list.getBoundingClientRect();
    const room = document.documentElement.clientWidth - 8;
    list.style.translate = right > room ? `${Math.round(room - right)}px` : left < 8 ? `${Math.round(8 - left)}px` : "none";
  }, true);

  // a picture lies over the initials and goes when it does not load; the event does not bubble, so it is caught on its way down
  document.addEventListener("error", (event) => {
    if (event.target instanceof HTMLImageElement && event.target.closest(".face")) event.target.remove();
  }, true);
})();
