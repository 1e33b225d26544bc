// Turns each SVG <title> into a tooltip that follows the pointer. Without this the browser shows the titles itself.
(() => {
  const bubble = document.createElement("div");
  bubble.className = "bubble";
  bubble.hidden = true;
  document.body.append(bubble);
  for (const title of document.querySelectorAll("svg g > title")) {
    const group = title.parentNode;
    group.setAttribute("aria-label", title.textContent);
    group.dataset.tip = title.textContent;
    title.remove();
  }
  document.addEventListener("pointermove", (event) => {
    const group = event.target.closest?.("[data-tip]");
    bubble.hidden = !group;
    if (!group) return;
    bubble.textContent = group.dataset.tip;
    const room = document.documentElement.clientWidth - bubble.offsetWidth - 8;
    bubble.style.left = `${Math.max(8, Math.min(event.clientX + 14, room))}px`;
    bubble.style.top = `${event.clientY + 18}px`;
  });
  document.addEventListener("scroll", () => { bubble.hidden = true; }, { passive: true });
})();
