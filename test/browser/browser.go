// Package browser is a real browser: Chromium, without a window. It looks at the pages as people do.
package browser

import (
	"context"
	"errors"
	"fmt"
	"os/exec"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// program finds Chromium, whatever it is called here.
func program() (path string, err error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err = exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("Chromium is not installed: hack/programs.sh chromium does it") //nolint:staticcheck // a name
}

// Start starts a browser. It ends with the context, or when stop is called. It takes any certificate: the server signs its own.
func Start(ctx context.Context) (browser context.Context, stop func(), err error) {
	path, err := program()
	if err != nil {
		return nil, nil, err
	}
	allocated, endAllocator := chromedp.NewExecAllocator(ctx, append([]chromedp.ExecAllocatorOption{},
		append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
			chromedp.IgnoreCertErrors, chromedp.Flag("disable-background-networking", true))...)...)
	browser, endBrowser := chromedp.NewContext(allocated)
	stop = func() { endBrowser(); endAllocator() }
	if err := chromedp.Do(browser); err != nil {
		stop()
		return nil, nil, fmt.Errorf("starting %s: %w", path, err)
	}
	return browser, stop, nil
}

// Another opens a tab of somebody else: it shares no cookies with the other tabs of the browser.
func Another(browser context.Context) (tab context.Context, stop func(), err error) {
	tab, stop = chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	if err := chromedp.Do(tab); err != nil {
		stop()
		return nil, nil, err
	}
	return tab, stop, nil
}

// Look sets the width of the window in pixels, and whether its user wants dark pages.
func Look(width int64, dark bool) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		scheme := "light"
		if dark {
			scheme = "dark"
		}
		_, err := cdp.Call(ctx, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}})
		if err != nil {
			return err
		}
		_, err = cdp.Call(ctx, tab, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
			Width: width, Height: 900, DeviceScaleFactor: 1, Mobile: width < 600,
		})
		return err
	})
}

// WithoutScripts has the tab run no script of any page.
func WithoutScripts() chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	})
}

// Shot takes a picture of the whole page, as PNG.
func Shot(ctx context.Context) ([]byte, error) {
	return chromedp.Run(ctx, chromedp.FullScreenshot(100))
}

// Window takes a picture of what the window shows, as WebP: it is small.
func Window(ctx context.Context) ([]byte, error) {
	picture, err := chromedp.Call(ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{Format: "webp", Quality: new(int64(80))})
	return picture.Data, err
}

// LogIn logs in with a token.
func LogIn(url, token string) chromedp.Action[chromedp.Void] {
	return chromedp.Steps(
		chromedp.Navigate(url+"/login"),
		chromedp.SetValue(chromedp.CSS("textarea[name=token]"), token),
		chromedp.Click(chromedp.CSS("button.main")),
		chromedp.WaitVisible(chromedp.CSS("header.top")),
	)
}
