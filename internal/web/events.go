package web

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/testrun-dev/testrun/internal/archive"
)

// How many listen for events at once, how often something is sent if nothing happens, and how long a client waits before it comes back.
const (
	maxListeners       = 512
	maxListenersOfUser = 64
	heartbeatEvery     = 15 * time.Second
	comeBackAfter      = 2 * time.Second
)

// Event is a run that was changed, as it is now.
type Event struct {
	Run
	Progress *Progress `json:"progress,omitempty" doc:"How far the last attempt is."`
}

func eventOf(c archive.Change) Event { return Event{runOf(c.Run), progressOf(c.Progress)} }

// Listening are the parameters that select events.
type Listening struct {
	Series  string `query:"series" maxLength:"253" doc:"Only runs of this series."`
	Verdict string `query:"verdict" enum:"Passed,Failed,Error,TimedOut,Cancelled" doc:"Only runs that ended so."`
	LastID  string `header:"Last-Event-ID" maxLength:"100" doc:"The id of the last event that was heard: a browser sends it when it comes back."`
	After   string `query:"after" maxLength:"100" doc:"The same, for who cannot send the header."`
}

type allEventsInput struct {
	Namespace []string `query:"namespace" maxItems:"200" doc:"Only runs of these namespaces; several with commas between them. Without it you need the right to get testruns in all namespaces."`
	Listening
}

const aboutEvents = "Server-sent events, for as long as you listen. An event \"run\" is a run that was changed, as it is now: its data is an Event. " +
	"An event \"reset\" says that you may have missed something: read your lists anew; the first event is one, unless you tell the id of the last one that you heard. " +
	"Several changes of a run within a quarter of a second are one event. If nothing happens, a comment comes every 15 seconds. " +
	"The answer ends if you lose the right to it, or read too slowly: come back with the id of the last event."

func (s *server) registerEvents(api huma.API) {
	o := operation{
		path: "/events", summary: "Events of the runs of a namespace", description: aboutEvents,
		change: func(o *huma.Operation) {
			o.Responses = map[string]*huma.Response{"200": {Description: "The events.", Content: map[string]*huma.MediaType{
				"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}},
			}}}
		},
	}
	api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Event](), true, "Event")
	o.id = "follow-runs"
	ofNamespace(s, api, inNamespace, o, func(ctx context.Context, where place, input *Listening) (*huma.StreamResponse, error) {
		return s.listen(ctx, []string{where.namespace}, input)
	})
	o.id, o.summary, o.errors = "follow-all-runs", "Events of the runs of all namespaces", []int{http.StatusForbidden}
	described := o.in(Root)
	described.Tags = []string{"runs"}
	huma.Register(api, described, func(ctx context.Context, input *allEventsInput) (*huma.StreamResponse, error) {
		output, err := s.listenToAll(ctx, input)
		return output, s.told(ctx, err)
	})
}

func (s *server) listenToAll(ctx context.Context, input *allEventsInput) (*huma.StreamResponse, error) {
	if err := s.allowAll(ctx, input.Namespace, "/events"); err != nil {
		return nil, err
	}
	return s.listen(ctx, input.Namespace, &input.Listening)
}

// listener is who listens to events.
type listener struct {
	// namespaces are those that they listen to; none means all.
	namespaces []string
	*Listening
	// at is the number up to which they have heard all that they want.
	at int64
}

func (l *listener) wants(c *change) bool {
	return (len(l.namespaces) == 0 || slices.Contains(l.namespaces, c.namespace)) &&
		(l.Series == "" || l.Series == c.series) && (l.Verdict == "" || l.Verdict == c.verdict)
}

// heard is the number of the last change that the client says it has heard of; -1 if it does not.
func (l *listener) heard() int64 {
	for _, text := range []string{l.LastID, l.After} {
		if number, err := strconv.ParseInt(text, 10, 64); err == nil {
			return number
		}
	}
	return -1
}

const tooManyListen = "Too many listen for events at once. Close some of your pages, or try again in a minute; the lists can be asked for meanwhile."

// listen answers with events until the client goes.
func (s *server) listen(ctx context.Context, namespaces []string, input *Listening) (*huma.StreamResponse, error) {
	whole, _ := ctx.Value(wholeKey{}).(context.Context)
	leave, ok := s.listeners.Enter(userOf(ctx).Username)
	if !ok {
		return nil, huma.ErrorWithHeaders(huma.Error503ServiceUnavailable(tooManyListen), http.Header{"Retry-After": {"60"}})
	}
	forget, err := s.changes.join(ctx)
	if err != nil {
		leave()
		return nil, err
	}
	return &huma.StreamResponse{Body: func(answer huma.Context) {
		defer leave()
		defer forget()
		r, w := humago.Unwrap(answer)
		header := w.Header()
		header.Set("Content-Type", "text/event-stream")
		header.Set("X-Accel-Buffering", "no") // a proxy is to pass on each event at once
		patient := newPatientWriter(w)
		_ = patient.control.SetReadDeadline(time.Time{}) // the request has been read; what is left is to see the client go
		if r.Method == http.MethodHead {
			_ = patient.Flush()
			return
		}
		leaveRequests(ctx) // it is not one that is answered at once
		l := listener{namespaces: namespaces, Listening: input}
		if err := s.tell(whole, patient, &l); err != nil {
			s.log.DebugContext(whole, "Somebody does not listen any more", "user", userOf(whole).Username, "error", err)
		}
	}}, nil
}

// tell sends what the listener wants to hear. It returns when they are gone, may not hear it any more, or have not heard for so long that what
// they missed is forgotten.
func (s *server) tell(ctx context.Context, w *patientWriter, l *listener) error {
	fmt.Fprintf(w, "retry: %d\n\n", comeBackAfter.Milliseconds())
	l.at = l.heard()
	if _, last, known, _ := s.changes.after(l.at); !known {
		l.at = last
		fmt.Fprintf(w, "event: reset\nid: %d\ndata: {}\n\n", last)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	heartbeat := time.NewTicker(heartbeatEvery)
	defer heartbeat.Stop()
	for {
		all, last, known, news := s.changes.after(l.at)
		if !known {
			return fmt.Errorf("the changes after %d are forgotten", l.at)
		}
		var pause <-chan time.Time
		if wanted := slices.DeleteFunc(newest(all), func(c *change) bool { return !l.wants(c) }); len(wanted) > 0 {
			if err := s.send(ctx, w, l, wanted); err != nil {
				return err
			}
			heartbeat.Reset(heartbeatEvery)
			news, pause = nil, time.After(lookEvery)
		}
		l.at = last
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-news:
		case <-pause:
		case <-heartbeat.C:
			// The id is that of what there was for others, so that there is less to repeat when the client comes back.
			if err := s.sendText(ctx, w, l, func() { fmt.Fprintf(w, ":\nid: %d\n\n", l.at) }); err != nil {
				return err
			}
		}
	}
}

func (s *server) send(ctx context.Context, w *patientWriter, l *listener, wanted []*change) error {
	return s.sendText(ctx, w, l, func() {
		for _, c := range wanted {
			fmt.Fprintf(w, "event: run\nid: %d\ndata: ", c.number)
			_, _ = w.Write(c.data) // JSON has no line breaks
			_, _ = io.WriteString(w, "\n\n")
		}
	})
}

// sendText sends what write writes, if the listener has the right to it still.
func (s *server) sendText(ctx context.Context, w *patientWriter, l *listener, write func()) error {
	if !s.mayStill(ctx, l.namespaces, toRun) {
		return errNothing
	}
	write()
	return w.Flush()
}

// mayStill says whether the token is good still, and the caller has the rights in all of the namespaces; everywhere, if there are none.
func (s *server) mayStill(ctx context.Context, namespaces []string, rights ...string) bool {
	who, err := s.identities.of(ctx, userOf(ctx).token, userOf(ctx).client)
	if err != nil {
		return false
	}
	if len(namespaces) == 0 {
		namespaces = []string{""}
	}
	for _, namespace := range namespaces {
		for _, right := range rights {
			if may, err := s.rights.may(ctx, who, namespace, right); err != nil || !may {
				return false
			}
		}
	}
	return true
}
