package web

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/push"
)

type outputInput struct {
	OfAttempt
	Part
	Gaps   string `query:"gaps" enum:"skip,mark" default:"skip" doc:"What stands for bytes that are missing: nothing, or a line that says how many."`
	Follow bool   `query:"follow" doc:"Go on while the attempt is in progress. offset may be given, and limit and Range have no effect."`
}

func (s *server) registerOutput(api huma.API) {
	ofRun(s, api, operation{
		id: "get-output", path: "/output", right: toOutput, summary: "The output of a run",
		description: "What the test printed in one attempt, as text. TestRun-Completeness says how much of it is kept, and TestRun-Gaps which bytes are missing.",
		errors:      []int{http.StatusGone, http.StatusRequestedRangeNotSatisfiable},
		change:      answersBytes("text/plain", "The output."),
	}, s.output)
}

func (s *server) output(ctx context.Context, run archive.Run, input *outputInput) (*huma.StreamResponse, error) {
	mark := input.Gaps == "mark"
	header := func(h http.Header) { h.Set("Content-Type", "text/plain; charset=utf-8") }
	attempt, err := s.attempt(ctx, run, input.Attempt)
	if input.Follow && mayCome(run, attempt, err) {
		return s.follow(ctx, run, followed{attempt: input.Attempt, from: input.Offset, mark: mark}, header), nil
	}
	if err != nil {
		return nil, err
	}
	state, err := s.find(ctx, run, attempt, push.Stream{Kind: push.Output})
	if err != nil {
		return nil, err
	}
	chosen, err := s.choose(ctx, state, streamOf(&state, isLive(run, attempt)), input.Part)
	if err != nil {
		return nil, err
	}
	return s.answer(ctx, chosen, mark, header), nil
}

// mayCome says whether output may come: of an attempt that has not ended, or, if err says that there is none, of one that may follow.
func mayCome(run archive.Run, attempt archive.Attempt, err error) bool {
	return isLive(run, attempt) && (err == nil || errors.Is(err, errNoAttempt))
}

// How often a test that is followed is looked at, for how many looks a gap is waited for, and after how many the caller's rights are
// checked again.
const (
	followEvery    = time.Second
	gapPatience    = 3
	looksPerReview = 60
)

// followed is output that is followed.
type followed struct {
	// attempt is 0 for the last one, which may not have begun.
	attempt int32
	// from is where to go on, and waited for how many looks there has been a gap.
	from   int64
	waited int
	mark   bool
}

// follow answers with what there is and what comes, until the attempt has ended.
func (s *server) follow(ctx context.Context, run archive.Run, f followed, header func(http.Header)) *huma.StreamResponse {
	return s.streamed(ctx, func(ctx context.Context, _ *http.Request, w *patientWriter) error {
		header(w.Header())
		if err := w.Flush(); err != nil {
			return err
		}
		for look := 1; ; look++ {
			live, err := s.look(ctx, run.UID, &f, w)
			if err != nil || !live {
				return err
			}
			if look%looksPerReview == 0 && !s.mayStill(ctx, []string{run.Namespace}, toRun, toOutput) {
				return errNothing
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(followEvery):
			}
		}
	})
}

// look writes what has come, and says whether more may.
func (s *server) look(ctx context.Context, uid string, f *followed, w *patientWriter) (bool, error) {
	run, err := s.store.Run(ctx, uid)
	if err != nil {
		return false, err
	}
	attempt, err := s.attempt(ctx, run, f.attempt)
	if errors.Is(err, errNoAttempt) {
		return isLive(run, attempt), nil
	}
	if err != nil {
		return false, err
	}
	f.attempt = attempt.Number
	live := isLive(run, attempt)
	stream := s.kept(run.UID, attempt.Number, push.Stream{Kind: push.Output})
	start, stop, err := stream.extent(ctx, f.from, forever)
	for err == nil && start < stop {
		f.waited++
		if start > f.from && live && f.waited <= gapPatience {
			return live, nil // it may come yet
		}
		f.waited = 0
		if err = writeGap(w, f.mark, start-f.from); err == nil {
			f.from, err = selection{kept: stream, span: span{start, stop}}.write(ctx, w, false)
		}
		if err == nil {
			start, stop, err = stream.extent(ctx, f.from, forever)
		}
	}
	if err == nil {
		err = w.Flush()
	}
	return live, err
}

// answersBytes describes an answer with bytes of a stream.
func answersBytes(mediaType, description string) func(*huma.Operation) {
	text, whole := &huma.Schema{Type: huma.TypeString}, &huma.Schema{Type: huma.TypeInteger}
	headers := map[string]*huma.Param{
		headerAttempt:      {Description: "The attempt that it is of.", Schema: whole},
		headerCompleteness: {Description: "How much of the stream is kept: as completeness of a Stream.", Schema: text},
		headerGaps:         {Description: "Which bytes of the stream are missing: FIRST-LAST, with commas between them; at most 100. None if nothing is.", Schema: text},
		headerOffset:       {Description: "Where in the stream the answer begins.", Schema: whole},
		headerNextOffset:   {Description: "Where in the stream to go on.", Schema: whole},
	}
	answer := func(description string) *huma.Response {
		return &huma.Response{Description: description, Headers: headers, Content: map[string]*huma.MediaType{
			mediaType: {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
		}}
	}
	return func(o *huma.Operation) {
		o.Responses = map[string]*huma.Response{"200": answer(description), "206": answer("The range that was asked for, up to the first gap.")}
	}
}
