// Command shots takes pictures of pages that test/pages/serve serves:
//
//	go run ./test/pages/shots -url=https://127.0.0.1:18444 -token=… -into=bin/shots / /tests /flaky
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/chromedp/chromedp"

	"github.com/testrun-dev/testrun/test/browser"
)

func main() {
	url := flag.String("url", "https://127.0.0.1:18444", "where the pages are")
	token := flag.String("token", "", "a token to log in with")
	into := flag.String("into", "bin/shots", "folder of the pictures")
	widths := flag.String("widths", "390,1280,1920", "of the window, in pixels")
	flag.Parse()
	if err := shoot(context.Background(), *url, *token, *into, strings.Split(*widths, ","), flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func shoot(ctx context.Context, url, token, into string, widths, paths []string) error {
	ctx, stop, err := browser.Start(ctx)
	if err != nil {
		return err
	}
	defer stop()
	if err := os.MkdirAll(into, 0o755); err != nil {
		return err
	}
	if token != "" {
		if err := chromedp.Do(ctx, browser.LogIn(url, token)); err != nil {
			return err
		}
	}
	for _, path := range paths {
		for _, text := range widths {
			var width int64
			if _, err := fmt.Sscan(text, &width); err != nil {
				return err
			}
			for _, dark := range []bool{false, true} {
				var picture []byte
				err := chromedp.Do(ctx, browser.Look(width, dark), chromedp.Navigate(url+path), chromedp.WaitVisible(chromedp.CSS("main")))
				if err == nil {
					picture, err = browser.Shot(ctx)
				}
				if err != nil {
					return fmt.Errorf("%s: %w", path, err)
				}
				name := fmt.Sprintf("%s-%d-%s.png", nameOf(path), width, map[bool]string{false: "light", true: "dark"}[dark])
				if err := os.WriteFile(filepath.Join(into, name), picture, 0o644); err != nil { //nolint:gosec // a picture
					return err
				}
			}
		}
	}
	return nil
}

func nameOf(path string) string {
	name := strings.Trim(strings.NewReplacer("/", "-", "?", "-", "=", "-", "&", "-", "%", "").Replace(path), "-")
	if name == "" {
		return "runs"
	}
	return name
}
