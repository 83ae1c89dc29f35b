package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/chromedp/chromedp"
)

// longOutput measures the page of the long output: how soon it shows the end, and what is searched.
func (b *bench) longOutput(ctx context.Context, result *report) error {
	people, err := b.logIn(ctx, 0)
	if err != nil {
		return err
	}
	page := b.server.url + "/runs/" + longRun.UID + "/output?attempt=1"
	last := fmt.Sprintf("line %07d", b.Lines)
	for _, step := range []struct {
		address, want string
		into          *quantiles
		times         int
	}{
		{page + "&end=1", last, &result.Output.FirstVisit, 1}, // nobody has counted its lines yet
		{page + "&end=1", last, &result.Output.End, b.Visits},
		{page + "&q=" + strings.ReplaceAll(last, " ", "+"), last, &result.Output.Search, max(b.Visits/5, 1)},
		{page + "&q=never", "Nothing in the output is like that", &result.Output.SearchInVain, max(b.Visits/5, 1)},
	} {
		times, err := answers(ctx, people, step.address, step.want, step.times)
		if err != nil {
			return err
		}
		*step.into = quantilesOf(times)
	}
	scrolls, err := b.scrolls(ctx, page)
	result.Output.Scroll = quantilesOf(scrolls)
	return err
}

// answers are times to the whole answer of a page, which has to say something.
func answers(ctx context.Context, people *http.Client, address, want string, times int) (all []time.Duration, err error) {
	for range times {
		begin := time.Now()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
		if err != nil {
			return nil, err
		}
		answer, err := people.Do(request)
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if err != nil || !strings.Contains(string(text), want) {
			return nil, fmt.Errorf("%s is answered with %s, and does not say %q: %w", address, answer.Status, want, err)
		}
		all = append(all, time.Since(begin))
	}
	return all, nil
}

// scrolls are times from a jump to the end of the output, in a browser that shows its beginning, until the last line is drawn.
func (b *bench) scrolls(ctx context.Context, page string) ([]time.Duration, error) {
	return b.inBrowser(ctx, fmt.Sprintf(`new Promise((done) => {
		const output = document.querySelector('#output'), begin = performance.now();
		const look = () => document.getElementById('L%d') ? done(performance.now() - begin) : requestAnimationFrame(look);
		output.scrollTop = output.scrollHeight;
		requestAnimationFrame(look);
	})`, b.Lines), chromedp.Navigate(page+"&line=1"), chromedp.WaitVisible(chromedp.CSS("#output.window #L1")))
}
