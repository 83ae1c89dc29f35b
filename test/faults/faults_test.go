package faults

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/kit"
)

// place is where in the life of a controller a fault strikes.
type place string

const (
	atWrite place = "write"
	atRead  place = "read"
	atEvent place = "event"
)

// fault is something that goes wrong.
type fault struct {
	name string
	at   place
	// mayExceed says that a limit may be exceeded: docs/decisions/admission.md says so of two controllers at once.
	mayExceed bool
	// request answers the request at which the fault strikes.
	request func(c *controller, request *http.Request, send sender) (*http.Response, error)
	// event is called before the event at which the fault strikes has passed.
	event func(c *controller, kind string)
}

type sender func(*http.Request) (*http.Response, error)

// strike is a fault at the write, read or event of that number, counted from 1.
type strike struct {
	fault    *fault
	number   int
	happened atomic.Bool
}

const (
	// staleness is for how long a cache is behind.
	staleness = 2 * time.Second
	// overlap is for how long two controllers live together.
	overlap = 2 * time.Second
	// head is the start that a second controller gets, to act before the first one's write arrives.
	head = 700 * time.Millisecond
)

var faults = []*fault{
	{name: "killed before", at: atWrite, request: func(c *controller, _ *http.Request, _ sender) (*http.Response, error) {
		c.world.replace(c, "")
		return nil, errKilled
	}},
	{name: "killed after", at: atWrite, request: func(c *controller, request *http.Request, send sender) (*http.Response, error) {
		dropped(send(request))
		c.world.replace(c, "")
		return nil, errKilled
	}},
	{name: "killed and arrives late", at: atWrite, mayExceed: true, request: func(c *controller, request *http.Request, send sender) (*http.Response, error) {
		late := request.Clone(context.WithoutCancel(request.Context()))
		body, err := bodyOf(request)
		if err != nil {
			return nil, err
		}
		late.Body = body
		c.world.replace(c, "")
		c.world.after(0, func() {
			c.world.underway.RLock()
			defer c.world.underway.RUnlock()
			kit.Pause(c.world.retiring, head)
			dropped(send(late))
		})
		return nil, errKilled
	}},
	{name: "conflict", at: atWrite, request: answer(http.StatusConflict, metav1.StatusReasonConflict)},
	{name: "timeout", at: atWrite, request: answer(http.StatusGatewayTimeout, metav1.StatusReasonTimeout)},
	{name: "server error", at: atWrite, request: answer(http.StatusInternalServerError, metav1.StatusReasonInternalError)},
	{name: "throttled", at: atWrite, request: answer(http.StatusTooManyRequests, metav1.StatusReasonTooManyRequests)},
	{name: "answer lost", at: atWrite, request: func(c *controller, request *http.Request, send sender) (*http.Response, error) {
		dropped(send(request))
		return answer(http.StatusGatewayTimeout, metav1.StatusReasonTimeout)(c, request, send)
	}},
	{name: "second controller", at: atWrite, mayExceed: true, request: func(c *controller, request *http.Request, send sender) (*http.Response, error) {
		c.world.underway.RLock()
		defer c.world.underway.RUnlock()
		c.leaving.Store(c.world.join("") != nil)
		c.world.after(overlap, c.die)
		kit.Pause(request.Context(), head)
		return send(request)
	}},

	{name: "killed", at: atRead, request: func(c *controller, _ *http.Request, _ sender) (*http.Response, error) {
		c.world.replace(c, "")
		return nil, errKilled
	}},
	{name: "server error", at: atRead, request: answer(http.StatusInternalServerError, metav1.StatusReasonInternalError)},

	{name: "killed", at: atEvent, event: func(c *controller, _ string) { c.world.replace(c, "") }},
	{name: "replaced by one in the past", at: atEvent, event: func(c *controller, _ string) { c.world.replace(c, c.world.past(2)) }},
	{name: "replaced by one in the beginning", at: atEvent, event: func(c *controller, _ string) { c.world.replace(c, c.world.past(1000)) }},
	{name: "second controller", at: atEvent, mayExceed: true, event: func(c *controller, _ string) {
		c.leaving.Store(true)
		c.world.after(0, func() { c.world.join("") })
		c.world.after(overlap, c.die)
	}},
	{name: "frozen", at: atEvent, event: func(c *controller, _ string) { c.gate.close(staleness, 0, "", false) }},
	{name: "frozen for one kind", at: atEvent, event: func(c *controller, kind string) { c.gate.close(staleness, 0, kind, false) }},
	{name: "2 unseen", at: atEvent, event: unseen(2)},
	{name: "4 unseen", at: atEvent, event: unseen(4)},
	{name: "8 unseen", at: atEvent, event: unseen(8)},
}

// unseen drops what is not the latest event of its object among the next ones.
func unseen(events int) func(*controller, string) {
	return func(c *controller, _ string) { c.gate.close(staleness, events, "", true) }
}

// answer answers by itself, as an API server does that has not done what it was asked for.
func answer(code int, reason metav1.StatusReason) func(*controller, *http.Request, sender) (*http.Response, error) {
	return func(_ *controller, request *http.Request, _ sender) (*http.Response, error) {
		return apiserver.Refuse(request, code, reason, "a fault of the test")
	}
}

// dropped loses an answer.
func dropped(response *http.Response, err error) {
	if err == nil {
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
	}
}

// bodyOf copies the body of a request, so that the request can still be sent after its sender has gone.
func bodyOf(request *http.Request) (io.ReadCloser, error) {
	if request.Body == nil {
		return nil, nil
	}
	content, err := io.ReadAll(request.Body)
	return io.NopCloser(bytes.NewReader(content)), err
}
