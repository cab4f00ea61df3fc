import { Measured } from "./measured";

export const metadata = { title: "A Next.js app" };

export default function Layout({ children }) {
  return (
    <html lang="en">
      <body><Measured>{children}</Measured></body>
    </html>
  );
}
