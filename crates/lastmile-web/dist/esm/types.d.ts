/** A label's value is sent as text. */
export type Labels = Record<string, string | number | boolean>;
/**
 * The metric families of a schema. It is empty until `lastmile-aggregator types` has written what your server takes,
 * which makes wrong names, labels and values errors of the compiler.
 */
export interface Metrics {
}
type Table<Kind extends string> = Metrics extends Record<Kind, infer Families> ? Families : Record<string, Labels>;
type LabelsOf<Kind extends string, Name> = Name extends keyof Table<Kind> ? Table<Kind>[Name] : never;
type LabelsArg<L> = {} extends L ? L | undefined | null : L;
/** A counter that the schema declares. */
export type CounterName = keyof Table<"counters"> & string;
/** A histogram or summary that the schema declares. */
export type ObservedName = keyof Table<"observed"> & string;
export type CounterLabels<Name> = LabelsArg<LabelsOf<"counters", Name>>;
export type ObservedLabels<Name> = LabelsArg<LabelsOf<"observed", Name>>;
/** `increment(name, labels, by)`: labels may be left out where a family has none that must be given. */
export type IncrementArgs<Name> = undefined extends CounterLabels<Name> ? [labels?: CounterLabels<Name>, by?: number] : [labels: CounterLabels<Name>, by?: number];
export interface Options {
    /** Where to send, the first that can be reached; `/lm` by default. */
    url?: string | string[];
    /** Seconds between two batches, a fifth more or less; 10 by default. */
    every?: number;
    /** Measures one page view in so many, 1 to 1000, each with so much weight; all by default. */
    oneIn?: number;
    /** What the page is called, as `page()` says later; its path's template by default. */
    page?: string;
    /** Waits for `start()`. What is counted until then is kept, and sent once it has started. */
    manual?: boolean;
    /** `false`: measures where the browser says `globalPrivacyControl`, too. */
    gpc?: boolean;
    /** Counts navigations within the page that the browser notices. */
    softNavigations?: boolean;
    /** What is not to be measured. */
    skip?: Skipped[];
}
export type Skipped = "loads" | "navigation" | "users" | "errors" | "vitals" | "frames";
export {};
