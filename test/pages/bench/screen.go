package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/testrun-dev/testrun/test/browser"
)

// screen is a browser that shows the list of runs.
type screen struct {
	tab   context.Context //nolint:containedctx // chromedp's contexts are tabs
	close func()
}

// watching keeps when a row first said that its run has passed, after it was drawn.
const watching = `(() => {
	window.passed = {};
	const look = () => {
		const now = [...document.querySelectorAll('#rows tr')].filter((row) => row.dataset.phase === 'Finished' && !(row.id in window.passed));
		if (now.length) requestAnimationFrame(() => { const at = Date.now(); for (const row of now) window.passed[row.id] ??= at; });
	};
	look();
	new MutationObserver(look).observe(document.querySelector('#rows'), { childList: true, subtree: true });
})()`

func (b *bench) openScreen(ctx context.Context) (*screen, error) {
	tab, stop, err := browser.Start(ctx)
	if err != nil {
		return nil, err
	}
	err = chromedp.Do(tab, browser.Look(1280, false), browser.LogIn(b.server.url, b.tokens[0]), chromedp.Navigate(b.server.url+"/?namespace="+namespace),
		chromedp.WaitVisible(chromedp.CSS("#rows")), chromedp.Evaluate[chromedp.Void](watching))
	if err != nil {
		stop()
		return nil, err
	}
	return &screen{tab, stop}, nil
}

// times are from when the end of each run was written to when the screen showed it.
func (s *screen) times(written *sync.Map) (all []time.Duration, err error) {
	shown, err := chromedp.Run(s.tab, chromedp.Evaluate[map[string]int64](`window.passed`))
	for row, at := range shown {
		if begin, ok := written.Load(row[len("run-"):]); ok {
			all = append(all, time.UnixMilli(at).Sub(begin.(time.Time)))
		}
	}
	return all, err
}

// firstPage asks for the list of runs, and has a browser show it.
func (b *bench) firstPage(ctx context.Context, result *report) error {
	people, err := b.logIn(ctx, 0)
	if err != nil {
		return err
	}
	var first, whole []time.Duration
	for range b.Visits {
		begin := time.Now()
		trace := &httptrace.ClientTrace{GotFirstResponseByte: func() { first = append(first, time.Since(begin)) }}
		request, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, trace), http.MethodGet, b.server.url+"/", http.NoBody)
		if err != nil {
			return err
		}
		answer, err := people.Do(request)
		if err != nil {
			return err
		}
		result.FirstPage.Bytes, err = io.Copy(io.Discard, answer.Body)
		if err != nil || answer.StatusCode != http.StatusOK {
			return fmt.Errorf("the list is answered with %s: %w", answer.Status, err)
		}
		_ = answer.Body.Close()
		whole = append(whole, time.Since(begin))
	}
	result.FirstPage.FirstByte, result.FirstPage.Whole = quantilesOf(first), quantilesOf(whole)
	painted, err := b.painted(ctx, "/")
	result.FirstPage.Painted = quantilesOf(painted)
	return err
}

// painted are times from the begin of a navigation to the first paint of something, in a browser.
func (b *bench) painted(ctx context.Context, path string) ([]time.Duration, error) {
	return b.inBrowser(ctx, `new Promise((done) => new PerformanceObserver((list, observer) => {
		const found = list.getEntriesByName('first-contentful-paint')[0];
		if (found) { observer.disconnect(); done(found.startTime); }
	}).observe({ type: 'paint', buffered: true }))`, chromedp.Navigate(b.server.url+path))
}

// inBrowser are times that a script measures, in milliseconds, in a browser of somebody who has logged in. The steps lead there each time.
func (b *bench) inBrowser(ctx context.Context, script string, steps ...chromedp.Action[chromedp.Void]) (all []time.Duration, err error) {
	tab, stop, err := browser.Start(ctx)
	if err != nil {
		return nil, err
	}
	defer stop()
	if err := chromedp.Do(tab, browser.Look(1280, false), browser.LogIn(b.server.url, b.tokens[0])); err != nil {
		return nil, err
	}
	for range max(b.Visits/5, 1) {
		if err := chromedp.Do(tab, steps...); err != nil {
			return nil, err
		}
		took, err := chromedp.Run(tab, chromedp.Evaluate[float64](script, chromedp.EvalAwaitPromise))
		if err != nil {
			return nil, err
		}
		all = append(all, time.Duration(took*float64(time.Millisecond)))
	}
	return all, nil
}
