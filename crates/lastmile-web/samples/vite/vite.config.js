// Vite's own esbuild knows JSX; nothing else is needed.
export default { esbuild: { jsx: "automatic" } };
