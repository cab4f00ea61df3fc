// What browsers have and TypeScript's library does not say yet.

declare function fetchLater(url: string, init?: RequestInit): { readonly activated: boolean };
declare var WorkerGlobalScope: unknown;
interface Document {
  readonly prerendering?: boolean;
}
interface Navigator {
  readonly globalPrivacyControl?: boolean;
}
interface PerformanceNavigationTiming {
  readonly activationStart?: number;
}
