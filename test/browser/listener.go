package browser

import (
	"context"
	"fmt"
	"net/url"
	"sync"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Listener hears what pages complain of: errors of scripts, what the Content-Security-Policy refuses, requests to other hosts.
type Listener struct {
	host string

	lock  sync.Mutex
	heard []string
}

// Listen listens to a tab whose pages may ask the host of the address alone.
func Listen(ctx context.Context, address string) (*Listener, error) {
	own, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	l := &Listener{host: own.Host}
	return l, chromedp.Listen(ctx, l.hear)
}

func (l *Listener) hear(event any) {
	switch event := event.(type) {
	case *runtime.EventExceptionThrown:
		text := event.ExceptionDetails.Text
		if event.ExceptionDetails.Exception != nil {
			text += " " + event.ExceptionDetails.Exception.Description
		}
		l.add("a script fails: %s", text)
	case *runtime.EventConsoleAPICalled:
		if event.Type == "error" || event.Type == "warning" {
			l.add("the console has a message: %s", event.Args[0].Value)
		}
	case *log.EventEntryAdded:
		if event.Entry.Level == "error" || event.Entry.Level == "warning" {
			l.add("the browser complains: %s (%s)", event.Entry.Text, event.Entry.URL)
		}
	case *network.EventRequestWillBeSent:
		asked, err := url.Parse(event.Request.URL)
		if err != nil || asked.Scheme != "data" && asked.Scheme != "blob" && asked.Host != l.host {
			l.add("the page asks another host: %s", event.Request.URL)
		}
	}
}

func (l *Listener) add(format string, args ...any) {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.heard = append(l.heard, fmt.Sprintf(format, args...))
}

// Heard is what was heard since the last call.
func (l *Listener) Heard() []string {
	l.lock.Lock()
	defer l.lock.Unlock()
	heard := l.heard
	l.heard = nil
	return heard
}
