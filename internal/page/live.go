package page

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/testrun-dev/testrun/internal/web"
)

// maxDrawn is how many drawn rows are remembered, so that what many look at is drawn once.
const maxDrawn = 2000

// live passes on the API's events: those of one run, if the query has its uid. A run comes with its row, as the list shows it.
func (v *visit) live() error {
	ctx, cancel := context.WithCancel(v.r.Context())
	defer cancel()
	if !v.session.Passed {
		go v.whileLive(ctx, cancel)
	}
	v.leave()
	query := v.r.URL.Query()
	filter := filterOf(query)
	for _, ours := range []string{"state", "name", "queue", "uid"} {
		query.Del(ours)
	}
	request, err := v.api.request(ctx, v.session.Token, "/events", query)
	if err != nil {
		return err
	}
	request.Header["Last-Event-Id"] = v.r.Header["Last-Event-Id"]
	answer := &drawing{ResponseWriter: v.w, server: v.server, filter: filter, uid: v.r.FormValue("uid")}
	v.api.handler.ServeHTTP(answer, request)
	_, _ = answer.ResponseWriter.Write(answer.events.Bytes())
	return nil
}

// sessionCheck is how often an answer without an end sees whether its session has ended.
const sessionCheck = 10 * time.Second

// whileLive calls end when the session has ended, unless the context ends before. A database that does not answer ends nothing.
func (v *visit) whileLive(ctx context.Context, end func()) {
	over := time.NewTimer(time.Unix(v.session.Ends, 0).Sub(v.sessions.now()))
	defer over.Stop()
	check := time.NewTicker(sessionCheck)
	defer check.Stop()
	for !errors.Is(v.sessions.live(ctx, v.session), errNoSession) {
		select {
		case <-ctx.Done():
			return
		case <-over.C:
			end()
			return
		case <-check.C:
		}
	}
	end()
}

// drawing is an answer of the API, whose events are passed on as they are flushed.
type drawing struct {
	http.ResponseWriter
	*server
	filter runsFilter
	// uid is that of the only run whose events are passed on; empty for all.
	uid    string
	events bytes.Buffer
}

func (d *drawing) Unwrap() http.ResponseWriter { return d.ResponseWriter }

func (d *drawing) Write(part []byte) (int, error) { return d.events.Write(part) }

// FlushError passes on the events that are whole.
func (d *drawing) FlushError() error {
	text := d.events.Bytes()
	whole := bytes.LastIndex(text, []byte("\n\n")) + len("\n\n")
	if whole < len("\n\n") {
		return nil
	}
	for event := range bytes.SplitAfterSeq(text[:whole], []byte("\n\n")) {
		if _, err := d.ResponseWriter.Write(d.withRow(event)); err != nil {
			return err
		}
	}
	d.events.Next(whole)
	return http.NewResponseController(d.ResponseWriter).Flush()
}

// liveRun is what the script gets of a run.
type liveRun struct {
	UID   string `json:"uid"`
	Phase string `json:"phase"`
	Row   string `json:"row"`
	// New says that the list selects the run, so that it may be added.
	New bool `json:"new"`
}

// isAbout says whether the data of an event is the run whose events are passed on.
func (d *drawing) isAbout(text []byte) bool {
	var run struct {
		UID string `json:"uid"`
	}
	return json.Unmarshal(text, &run) == nil && run.UID == d.uid
}

// withRow replaces the data of an event that is a run.
func (d *drawing) withRow(event []byte) []byte {
	const data = "\ndata: "
	head, text, ok := bytes.Cut(event, []byte(data))
	if !ok || !bytes.HasPrefix(head, []byte("event: run")) {
		return event
	}
	if d.uid != "" && !d.isAbout(text) {
		return nil
	}
	key := fmt.Sprintf("%q %s", d.filter, text)
	if known, ok := d.drawn.Get(key); ok {
		return append(append(bytes.Clone(head), data...), known.([]byte)...)
	}
	var run web.Event
	if err := json.Unmarshal(text, &run); err != nil {
		return event
	}
	row, err := d.views.part("run-row", runRow{run.Run, run.Progress})
	if err != nil {
		d.log.Error("A row cannot be drawn", "run", run.UID, "error", err)
		return event
	}
	drawn, _ := json.Marshal(liveRun{run.UID, run.Phase, row, d.filter.wants(run.Run)})
	drawn = append(drawn, "\n\n"...)
	d.drawn.Add(key, drawn)
	return append(append(bytes.Clone(head), data...), drawn...)
}
