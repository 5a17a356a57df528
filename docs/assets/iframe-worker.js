/* Web workers of a page that was opened from a folder. Browsers refuse them there, and the search needs one: its script
   runs in a hidden frame instead. On a page from a server nothing is changed. */
(() => {
  if (location.protocol !== "file:") return;

  const load = (inner, url) =>
    new Promise((done, failed) => {
      const script = inner.document.createElement("script");
      script.src = new URL(url, location.href).href;
      script.onload = done;
      script.onerror = () => failed(new Error(`cannot load ${script.src}`));
      inner.document.head.append(script);
    });

  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      document.body.append(this.frame);
      const inner = this.frame.contentWindow;
      inner.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      inner.importScripts = (...urls) =>
        urls.reduce((before, each) => before.then(() => load(inner, each)), Promise.resolve());
      this.loaded = load(inner, url).catch((error) =>
        this.dispatchEvent(new ErrorEvent("error", { error, message: error.message })),
      );
    }

    postMessage(data) {
      this.loaded.then(() => this.frame.contentWindow.dispatchEvent(new MessageEvent("message", { data })));
    }

    terminate() {
      this.frame.remove();
    }
  };
})();
