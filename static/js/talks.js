// A conversation opens at its end, or at the message that was looked for.
for (const talk of document.querySelectorAll("[data-talk]")) {
  const wanted = talk.querySelector(".is-wanted");
  if (wanted) wanted.scrollIntoView({ block: "center" });
  else talk.scrollTop = talk.scrollHeight;
}
