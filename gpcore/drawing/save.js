/** Hands a canvas to the user as a PNG file. */
function saveCanvas(canvas, name) {
  canvas.toBlob((blob) => {
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: `${name}.png` });
    link.click();
    URL.revokeObjectURL(link.href);
  });
}

/** The colour of what lies behind an element: of the nearest one around it that has any. */
function groundOf(element) {
  for (let each = element; each; each = each.parentElement ?? each.getRootNode().host) {
    const colour = getComputedStyle(each).backgroundColor;
    if (!/rgba\(.*, 0\)/.test(colour)) return colour;
  }
  return "white";
}
