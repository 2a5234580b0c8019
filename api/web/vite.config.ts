import { defineConfig } from "vite";

export default defineConfig({
  build: {
    target: "es2022",
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 700, // hls.js, loaded when a picture is shown
    rollupOptions: { input: ["index.html", "watch.html"] },
  },
});
