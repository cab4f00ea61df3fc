export default {
  reactStrictMode: true,
  // One process builds, which is enough for one page.
  experimental: { cpus: 1 },
};
