package browser_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/testrun-dev/testrun/test/browser"
)

// A page that is as it should be.
const good = `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Good</title>
<link rel="icon" href="data:,"></head><body><main><h1>Good</h1>%s</main></body></html>`

func TestEachFaultOfAPageIsSeen(t *testing.T) {
	tests := map[string]struct{ part, want string }{
		"nothing":                       {`<p>All of it is here. <button>Go on</button></p>`, ""},
		"an ellipsis":                   {`<div style="width:60px;overflow:hidden;white-space:nowrap;text-overflow:ellipsis">a long text that is cut</div>`, ""},
		"what scrolls":                  {`<div style="width:60px;overflow:auto;white-space:nowrap" tabindex="0">a long text that scrolls</div>`, ""},
		"too wide":                      {`<div style="width:5000px">wide</div>`, "pixels wide"},
		"cut at the side":               {`<div style="width:60px;overflow:hidden;white-space:nowrap">a long text that is cut</div>`, "text is cut"},
		"cut below":                     {`<div style="width:60px;height:24px;overflow:hidden">a long text that is cut</div>`, "text is cut"},
		"cut by a picture":              {`<svg width="40" height="20" style="overflow:hidden" role="img" aria-label="A picture"><text x="0" y="15">a long text</text></svg>`, "text is cut"},
		"an empty main part":            {`<style>h1 { display: none }</style>`, "main part is empty"},
		"two titles":                    {`<h1>Another</h1>`, "2 titles"},
		"an id twice":                   {`<p id="a">1</p><p id="a">2</p>`, "have the id a"},
		"a button that is too narrow":   {`<button style="width:20px;overflow:hidden">a long word</button>`, "too narrow"},
		"a button on another":           {`<button>first</button><button style="margin-left:-40px">second</button>`, "lies on another"},
		"a button without a name":       {`<button><svg width="16" height="16"></svg></button>`, "a button has no name"},
		"an input without a name":       {`<input>`, "a textbox has no name"},
		"text with too little of ink":   {`<p style="color:#999">dim</p>`, "has a contrast of 2.8"},
		"a script that fails":           {`<script>nothing.here()</script>`, "a script fails"},
		"a message of the console":      {`<script>console.error('oh')</script>`, "the console has a message"},
		"a request to another host":     {`<img src="https://localhost:1/a.png" alt="A picture">`, "asks another host"},
		"what the policy does refuse":   {`<script src="data:text/javascript,1"></script>`, "violates the following Content Security Policy"},
		"what the server does not have": {`<img src="/missing.png" alt="A picture">`, "404"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/" {
					http.NotFound(w, r)
					return
				}
				w.Header().Set("Content-Security-Policy", "script-src 'unsafe-inline'")
				_, _ = fmt.Fprintf(w, good, test.part)
			}))
			defer server.Close()
			tab := tabOf(t, "")
			listener, err := browser.Listen(tab, server.URL)
			if err != nil {
				t.Fatal(err)
			}
			if err := chromedp.Do(tab, browser.Look(1280, false), chromedp.Navigate(server.URL)); err != nil {
				t.Fatal(err)
			}
			faults, err := browser.Faults(tab)
			if err != nil {
				t.Fatal(err)
			}
			found := strings.Join(append(faults, listener.Heard()...), "\n")
			if test.want == "" && found != "" || !strings.Contains(found, test.want) {
				t.Errorf("found is %q, want %q", found, test.want)
			}
		})
	}
}
