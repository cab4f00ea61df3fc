// Tells the page of what lastmile.js sends, for its panel "What this page sent". No page of yours needs this.
"use strict";

((send) => {
  window.fetch = async (url, options = {}) => {
    const { body } = options;
    let status = 0;
    try {
      const answer = await send(url, options);
      ({ status } = answer);
      return answer;
    } finally {
      if (new URL(url, location).pathname === "/lm") {
        document.dispatchEvent(new CustomEvent("demo:sent", { detail: { url, body, status } }));
      }
    }
  };
})(window.fetch);
