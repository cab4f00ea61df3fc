// The build puts this in place of the browser's PerformanceObserver, in the web-vitals library too, which has no way of
// its own to end what it began.

const Native = globalThis.PerformanceObserver;
let all: PerformanceObserver[] = [];

export const PerformanceObserver = Native && class extends Native {
  constructor(then: PerformanceObserverCallback) {
    super(then);
    all.push(this);
  }
};

export const disconnectAll = (): void => {
  all.forEach((observer) => observer.disconnect());
  all = [];
};
