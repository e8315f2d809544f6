// The drawer (whatever is swapped into it opens it) and the question before something that is hard to take back.
(() => {
  const drawer = document.getElementById("drawer");
  const body = document.getElementById("drawer-body");
  const ask = document.getElementById("ask");

  document.body.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target !== body) return;
    if (!drawer.open) drawer.showModal();
    const first = body.querySelector("[aria-invalid=true], [autofocus]") || body.querySelector("h2[tabindex]");
    first?.focus();
  });
  document.body.addEventListener("drawer:close", () => drawer?.close());
  drawer?.addEventListener("close", () => body.replaceChildren());

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-close]")) {
      const around = event.target.closest("dialog");
      if (around) event.preventDefault();
      if (around) around.close();
      else if (!event.target.closest("a")) window.history.back(); // a form opened by its own address
    }
    if (event.target instanceof HTMLDialogElement && event.target.id !== "ask") event.target.close(); // the veil
  });

  // data-confirm="text" with optional data-confirm-title, -action, -danger, -word (to be typed)
  function question(source) {
    const { confirm: text, confirmTitle, confirmAction, confirmDanger, confirmWord } = source.dataset;
    const [title, said] = [ask.querySelector("#ask-title"), ask.querySelector("#ask-text")];
    const yes = ask.querySelector("[value=yes]");
    const typed = ask.querySelector("[data-ask-type]");
    const input = typed.querySelector("input");
    title.textContent = confirmTitle || title.dataset.default;
    said.textContent = text;
    yes.textContent = confirmAction || yes.dataset.default;
    yes.className = confirmDanger === undefined ? "btn btn-primary" : "btn btn-danger";
    typed.hidden = !confirmWord;
    input.value = "";
    typed.querySelector("label").textContent = input.dataset.label.replace("%s", confirmWord || "");
    input.oninput = () => { yes.disabled = Boolean(confirmWord) && input.value.trim() !== confirmWord; };
    input.oninput();
    ask.returnValue = "no";
    ask.showModal();
    ask.querySelector("[value=no]").focus();
    return new Promise((answer) => {
      ask.addEventListener("close", () => answer(ask.returnValue === "yes"), { once: true });
    });
  }

  document.body.addEventListener("htmx:confirm", (event) => {
    const source = event.detail.elt;
    if (!source.dataset?.confirm) return;
    event.preventDefault();
    question(source).then((yes) => yes && event.detail.issueRequest(true));
  });

  document.addEventListener("submit", (event) => {
    const form = event.target;
    const source = event.submitter?.dataset.confirm ? event.submitter : form;
    if (!source.dataset.confirm || form.hasAttribute("hx-post") || form.dataset.asked) return;
    event.preventDefault();
    question(source).then((yes) => {
      if (!yes) return;
      form.dataset.asked = "yes";
      form.requestSubmit(event.submitter);
      delete form.dataset.asked;
    });
  });
})();
