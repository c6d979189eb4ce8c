/* Copying lines gives their text: no numbers, no times, one line each. */
export function copyLines(box) {
  box.addEventListener("copy", (event) => {
    const selection = getSelection();
    if (selection.isCollapsed || !selection.rangeCount) return;
    const range = selection.getRangeAt(0);
    if (!box.contains(range.commonAncestorContainer)) return;
    const texts = [];
    for (const span of box.querySelectorAll(".l > span")) {
      if (!range.intersectsNode(span) || !span.parentElement.checkVisibility({ contentVisibilityAuto: false })) continue;
      const part = document.createRange();
      part.selectNodeContents(span);
      const button = span.querySelector(":scope > .more");
      if (button) part.setEndBefore(button);
      if (range.compareBoundaryPoints(Range.START_TO_START, part) > 0) part.setStart(range.startContainer, range.startOffset);
      if (range.compareBoundaryPoints(Range.END_TO_END, part) < 0) part.setEnd(range.endContainer, range.endOffset);
      texts.push(part.toString());
    }
    if (!texts.length) return;
    event.preventDefault();
    event.clipboardData.setData("text/plain", texts.join("\n"));
  });
  // Ctrl+A in the log selects the log, not the page around it.
  box.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.key !== "a") return;
    event.preventDefault();
    getSelection().selectAllChildren(box);
  });
}
