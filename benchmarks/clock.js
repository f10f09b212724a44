// A clock inside a page: the milliseconds from the next key press or click to the frame that shows the last of its effects in
// any of some regions, given as CSS selectors. They are known once nothing runs and nothing has moved there for `settled`.
([regions, settled, patience]) => {
  const region = regions.join(", ");
  const inside = regions.map((each) => `${each} *`).join(", ");
  const app = document.querySelector("[data-testid=stApp]");
  const watched = new WeakSet();
  let started = null, painted = null, waiting = false, moved = 0;

  const holds = (node) => node instanceof Element && (node.matches(region) || node.querySelector(region));
  const elementOf = (node) => (node instanceof Element ? node : node.parentElement);
  // What lies inside a canvas is read aloud, never drawn; a table on one updates it a while after its pixels.
  const isDrawn = ({ target, type }) => !(type === "attributes" ? target.parentElement : elementOf(target))?.closest("canvas");
  const isMeant = ({ target, type, addedNodes }) => {
    const element = target.getRootNode().host ?? elementOf(target);
    if (element?.matches(inside)) return true;
    // An attribute of the region itself says that it is out of date, not what it shows.
    return type === "childList" && (element?.matches(region) || [...addedNodes].some(holds));
  };
  const addsElements = ({ addedNodes }) => [...addedNodes].some((node) => node instanceof Element);
  const observer = new MutationObserver((records) => {
    if (records.some(addsElements)) watchShadows(); // which takes a while on a large page
    if (started === null || !records.some((record) => isDrawn(record) && isMeant(record))) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; painted = moved = performance.now(); });
  });
  const watch = (root) => {
    if (watched.has(root)) return;
    watched.add(root);
    observer.observe(root, { subtree: true, childList: true, characterData: true, attributes: true });
  };
  const watchShadows = () => {
    for (const { shadowRoot } of document.querySelectorAll(inside)) if (shadowRoot) watch(shadowRoot);
  };
  watch(document.body);
  watchShadows();

  for (const kind of ["keydown", "click"])
    addEventListener(kind, () => { started ??= moved = performance.now(); }, { capture: true, once: true });
  window.drawn = new Promise((resolve, reject) => {
    const timer = setInterval(() => {
      const now = performance.now();
      if (app.dataset.testScriptState !== "notRunning") moved = now;
      const drawn = painted !== null && !waiting && now - moved > settled;
      if (!drawn && !(started !== null && now - started > patience)) return;
      clearInterval(timer);
      observer.disconnect();
      if (drawn) resolve(painted - started);
      else reject(new Error(`nothing changed in ${region}`));
    }, 20);
  });
}
