import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [svelte()],
  build: {
    target: "es2022",
    assetsInlineLimit: 0, // the content security policy allows no data: images
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 700, // hls.js, loaded when a picture is shown
    rollupOptions: { input: ["index.html", "watch.html", "guest.html"] },
  },
  test: { include: ["src/**/*.test.ts"] },
});
