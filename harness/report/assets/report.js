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

// Narrows the event log to the rows that hold some words, or to those that went wrong.
(() => {
  const table = document.querySelector(".log");
  if (!table) return;
  const rows = [...table.tBodies[0].rows];
  const bar = document.createElement("div");
  bar.className = "filter";
  bar.innerHTML = '<input type="search" placeholder="Filter events" aria-label="Filter events">' +
    '<label><input type="checkbox"> warnings and errors only</label><output></output>';
  const [words, serious, count] = [...bar.querySelectorAll("input"), bar.querySelector("output")];
  const narrow = () => {
    const sought = words.value.trim().toLowerCase();
    let shown = 0;
    for (const row of rows) {
      const wanted = row.textContent.toLowerCase().includes(sought) &&
        (!serious.checked || row.matches(".warning, .error"));
      row.hidden = !wanted;
      shown += wanted;
    }
    count.textContent = shown === rows.length ? "" : `${shown} of ${rows.length}`;
  };
  bar.addEventListener("input", narrow);
  table.closest(".scrolling").before(bar);
})();
