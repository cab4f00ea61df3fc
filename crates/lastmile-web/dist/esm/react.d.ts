/** Says what the page is called while this is rendered: a route as its router writes it, `/users/:id`. */
export declare const useReportPage: (template: string) => void;
