package web

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/push"
)

// Part is which bytes of a stream are asked for.
type Part struct {
	Offset  int64  `query:"offset" minimum:"0" maximum:"1125899906842624" doc:"Begin at this byte of the stream."`
	Limit   int64  `query:"limit" minimum:"0" maximum:"1125899906842624" doc:"End after so many bytes of the stream. Without it, at its end."`
	Range   string `header:"Range" maxLength:"200" doc:"One range of bytes, as bytes=FIRST-LAST, in place of offset and limit. The answer ends at the first gap, and its Content-Range says so."`
	IfRange string `header:"If-Range" maxLength:"200" doc:"Range holds only if this is the ETag."`
}

// The headers of an answer with bytes of a stream.
const (
	headerAttempt      = "TestRun-Attempt"
	headerCompleteness = "TestRun-Completeness"
	headerGaps         = "TestRun-Gaps"
	headerOffset       = "TestRun-Offset"
	headerNextOffset   = "TestRun-Next-Offset"
)

// selection is what is answered of a stream.
type selection struct {
	kept
	span
	status int
	// total is how long the stream is, -1 if that is not known. whole means that no byte of the span is missing.
	total int64
	whole bool
	shown Stream
}

// find finds a stream of an attempt. It is an error if nothing is kept of it.
func (s *server) find(ctx context.Context, run archive.Run, attempt archive.Attempt, stream push.Stream) (archive.StreamState, error) {
	state, err := s.store.Stream(ctx, run.UID, attempt.Number, stream)
	switch {
	case errors.Is(err, archive.ErrNotFound) && isLive(run, attempt) && stream.Kind == push.Output:
		return archive.StreamState{UID: run.UID, Attempt: attempt.Number, Stream: stream, Wanted: -1}, nil
	case errors.Is(err, archive.ErrNotFound):
		return state, huma.Error404NotFound(fmt.Sprintf("Nothing of this is kept of attempt %d. The attempt of the run says why, if that is known.", attempt.Number))
	case err == nil && !state.Expired.IsZero():
		return state, gone(state.Expired)
	}
	return state, err
}

func gone(when time.Time) error {
	return huma.Error410Gone("It was kept until " + when.UTC().Format(time.RFC3339) + ", and then deleted by its retention.")
}

// choose says which bytes are answered.
func (s *server) choose(ctx context.Context, state archive.StreamState, shown Stream, input Part) (selection, error) {
	chosen := selection{kept: s.kept(state.UID, state.Attempt, state.Stream), status: http.StatusOK, total: state.Wanted, shown: shown}
	end, err := chosen.end(ctx, state.Length)
	if err != nil {
		return selection{}, err
	}
	if shown.Completeness != Growing {
		chosen.total = max(end, state.Wanted)
	}
	chosen.span = span{0, end}
	if asked, ok := rangeOf(input.Range, end); ok && (input.IfRange == "" || input.IfRange == chosen.etag()) {
		chosen.status, chosen.span = http.StatusPartialContent, asked
	}
	if input.Offset > 0 || input.Limit > 0 {
		chosen.status, chosen.span = http.StatusOK, span{input.Offset, max(input.Offset, end)}
		if input.Limit > 0 {
			chosen.to = max(chosen.from, min(chosen.to, input.Offset+input.Limit))
		}
	}
	start, stop, err := chosen.extent(ctx, chosen.from, chosen.to)
	if err != nil {
		return selection{}, err
	}
	if chosen.status == http.StatusPartialContent {
		if start == stop {
			header := http.Header{"Content-Range": {"bytes */" + chosen.totalText()}}
			return selection{}, huma.ErrorWithHeaders(huma.NewError(http.StatusRequestedRangeNotSatisfiable, "Nothing is kept of these bytes."), header)
		}
		chosen.span = span{start, stop}
	}
	chosen.whole = span{start, stop} == chosen.span
	return chosen, nil
}

func (c selection) totalText() string {
	if c.total < 0 {
		return "*"
	}
	return strconv.FormatInt(c.total, 10)
}

// etag is empty unless the stream cannot change any more.
func (c selection) etag() string {
	if c.shown.Completeness != Complete {
		return ""
	}
	return `"` + c.shown.SHA256 + `"`
}

// header sets what says which bytes these are.
func (c selection) header(h http.Header) {
	h.Set(headerAttempt, strconv.FormatInt(int64(c.attempt), 10))
	h.Set(headerCompleteness, string(c.shown.Completeness))
	if len(c.shown.Gaps) > 0 {
		h.Set(headerGaps, gapsText(c.shown.Gaps))
	}
	h.Set("Accept-Ranges", "bytes")
	if etag := c.etag(); etag != "" {
		h.Set("ETag", etag)
	}
	h.Set(headerOffset, strconv.FormatInt(c.from, 10))
	h.Set(headerNextOffset, strconv.FormatInt(c.to, 10))
	if c.status == http.StatusPartialContent {
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%s", c.from, c.to-1, c.totalText()))
	}
	if c.whole {
		h.Set("Content-Length", strconv.FormatInt(c.to-c.from, 10))
	}
}

// gapsText lists gaps as ranges of bytes, with their first and their last byte.
func gapsText(gaps []Gap) string {
	ranges := make([]string, 0, len(gaps))
	for _, gap := range gaps {
		ranges = append(ranges, fmt.Sprintf("%d-%d", gap.Offset, gap.Offset+gap.Length-1))
	}
	return strings.Join(ranges, ", ")
}

// answer streams what was chosen. mark writes a line where something is missing.
func (s *server) answer(ctx context.Context, chosen selection, mark bool, header func(http.Header)) *huma.StreamResponse {
	return s.streamed(ctx, func(ctx context.Context, r *http.Request, w *patientWriter) error {
		chosen.header(w.Header())
		header(w.Header())
		w.status = chosen.status
		if r.Method == http.MethodHead {
			return nil
		}
		_, err := chosen.write(ctx, w, mark)
		if err != nil && !w.begun {
			for _, name := range []string{"Content-Length", "Content-Range", "Content-Disposition", "ETag", "Accept-Ranges"} {
				w.Header().Del(name)
			}
		}
		return err
	})
}

// write writes the kept bytes of the span and returns where it stopped.
func (c selection) write(ctx context.Context, w io.Writer, mark bool) (int64, error) {
	at := c.from
	err := c.parts(ctx, c.from, c.to, func(p part) (bool, error) {
		if err := writeGap(w, mark, p.from-at); err != nil {
			return false, err
		}
		at = p.to
		return true, c.copyTo(ctx, w, p)
	})
	if err == nil {
		err = writeGap(w, mark, c.to-at)
	}
	return at, err
}

// writeGap says that so many bytes are missing.
func writeGap(w io.Writer, mark bool, length int64) error {
	if !mark || length <= 0 {
		return nil
	}
	_, err := fmt.Fprintf(w, "\n[testrun: %d bytes are missing here]\n", length)
	return err
}

// streamed answers in pieces, for as long as it takes.
func (s *server) streamed(ctx context.Context, body func(context.Context, *http.Request, *patientWriter) error) *huma.StreamResponse { //nolint:contextcheck // a stream may last longer than other answers
	whole, _ := ctx.Value(wholeKey{}).(context.Context)
	return &huma.StreamResponse{Body: func(answer huma.Context) {
		r, w := humago.Unwrap(answer)
		leave, ok := s.streams.Enter(userOf(whole).Username)
		if !ok {
			unavailable(w, tooMany)
			return
		}
		defer leave()
		patient := newPatientWriter(w)
		_ = patient.control.SetReadDeadline(time.Time{}) // the request has been read; what is left is to see the client go
		err := body(whole, r, patient)
		if err == nil {
			err = patient.Flush()
		}
		if err == nil {
			return
		}
		if whole.Err() == nil {
			s.log.ErrorContext(whole, "An answer was cut short", "path", r.URL.Path, "error", err)
		}
		if patient.begun {
			panic(http.ErrAbortHandler) // so that nobody takes it for the whole
		}
		writeProblem(w, http.StatusInternalServerError, "What is kept cannot be read now. The server's log says why.")
	}}
}

// patientWriter gives every piece of an answer its own time to be taken by the client.
type patientWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	buffer  *bufio.Writer
	status  int
	// begun means that the status has been sent.
	begun bool
}

func newPatientWriter(w http.ResponseWriter) *patientWriter {
	p := &patientWriter{ResponseWriter: w, control: http.NewResponseController(w), status: http.StatusOK}
	p.buffer = bufio.NewWriterSize(pieces{p}, 32<<10)
	return p
}

// Write keeps up to 32 KiB until the next Flush.
func (p *patientWriter) Write(data []byte) (int, error) { return p.buffer.Write(data) }

// Flush sends what was written.
func (p *patientWriter) Flush() error {
	p.begin()
	if err := p.buffer.Flush(); err != nil {
		return err
	}
	if err := p.control.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

func (p *patientWriter) begin() {
	if !p.begun {
		p.begun = true
		_ = p.control.SetWriteDeadline(time.Now().Add(writeTimeout))
		p.WriteHeader(p.status)
	}
}

// pieces is where the buffer of a patientWriter goes to.
type pieces struct{ *patientWriter }

func (p pieces) Write(data []byte) (int, error) {
	p.begin()
	_ = p.control.SetWriteDeadline(time.Now().Add(writeTimeout))
	return p.ResponseWriter.Write(data)
}
