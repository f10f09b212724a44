/** Downloads a canvas as a PNG file. */
function saveCanvas(canvas, name) {
  canvas.toBlob((blob) => {
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: `${name}.png` });
    link.click();
    URL.revokeObjectURL(link.href);
  });
}

/** Returns the background colour behind an element: that of its nearest ancestor with one. */
function groundOf(element) {
  for (let each = element; each; each = each.parentElement ?? each.getRootNode().host) {
    const colour = getComputedStyle(each).backgroundColor;
    if (!/rgba\(.*, 0\)/.test(colour)) return colour;
  }
  return "white";
}
