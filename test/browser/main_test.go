package browser_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/browser"
	"github.com/testrun-dev/testrun/test/pages"
)

// site is what all tests look at: made-up runs, users with their tokens, and a browser.
var site struct {
	*pages.Site
	tokens  map[string]string
	browser context.Context //nolint:containedctx // chromedp's contexts are tabs
	axe     string
}

func TestMain(m *testing.M) { os.Exit(apiserver.Run(withSite{m})) }

// withSite are tests that have the site.
type withSite struct{ tests *testing.M }

// Run serves the site while the tests run.
func (w withSite) Run() int {
	code, err := w.run()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

func (w withSite) run() (code int, err error) {
	ctx := context.Background()
	folder, err := os.MkdirTemp("", "testrun-pages")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	if site.Site, err = pages.Start(ctx, apiserver.Config, folder); err != nil {
		return 0, err
	}
	defer func() { _ = site.Close() }()
	if err := site.Fill(ctx, time.Now()); err != nil {
		return 0, err
	}
	if site.tokens, err = pages.AddUsers(ctx); err != nil {
		return 0, err
	}
	site.Server.StartTLS()
	browser, stop, err := browser.Start(ctx)
	if err != nil {
		return 0, err
	}
	defer stop()
	site.browser = browser
	if site.axe, err = axe(); err != nil {
		return 0, err
	}
	return w.tests.Run(), nil
}

func axe() (string, error) {
	return browser.Axe("../../bin/_axe/node_modules/axe-core/axe.min.js")
}
