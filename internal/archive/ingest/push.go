package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/lru"

	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/archive/blobs"
	"github.com/testrun-dev/testrun/internal/push"
)

// PushStore is what a Push stores in: see archive.Store.
type PushStore interface {
	ChunkStore
	RunReader
	HasEnded(ctx context.Context, uid string, attempt int32) (bool, error)
	SetProgress(ctx context.Context, progress []archive.AttemptProgress) error
	SetEnd(ctx context.Context, owner archive.Owner, end push.End) ([]archive.StreamState, error)
	SetCut(ctx context.Context, owner archive.Owner, stream push.Stream, source archive.Source, reason string) error
	Usage(ctx context.Context, namespace, uid string) (run, all archive.Amount, err error)
	Chunks(ctx context.Context, uid string, attempt int32, stream push.Stream, from int64, limit int) ([]archive.Chunk, error)
}

// Push is the handler of everything below push.Root. An answer is 204, or a push.Refusal. Whatever was answered with 204 survives a crash, but
// for progress, which is written about once a second.
type Push struct {
	keeper   Keeper
	store    PushStore
	reviewer Reviewer
	limits   Limits
	log      *slog.Logger
	metrics  *pushMetrics
	gate     *gate
	progress *progressBuffer
	// cut has the streams of which the store knows that their rest was refused.
	cut *lru.Cache
	// storeTime is how long a request waits for the database and the blobs.
	storeTime time.Duration
}

// PushOptions are what a Push needs.
type PushOptions struct {
	Store      PushStore
	Blobs      blobs.Blobs
	Reviewer   Reviewer
	Limits     Limits
	Registerer prometheus.Registerer
	Log        *slog.Logger
}

// maxCutKnown bounds how many streams are known to be cut.
const maxCutKnown = 10_000

// NewPush makes a handler. Its Run has to run too.
func NewPush(options PushOptions) *Push {
	metrics := newPushMetrics(options.Registerer)
	return &Push{
		keeper: Keeper{options.Store, options.Blobs}, store: options.Store, reviewer: options.Reviewer, limits: options.Limits,
		log: options.Log, metrics: metrics, gate: newGate(), progress: newProgressBuffer(options.Store, options.Log),
		cut: lru.New(maxCutKnown), storeTime: storeTime,
	}
}

// Run writes the progress that was pushed, until the context ends.
func (p *Push) Run(ctx context.Context) error { return p.progress.run(ctx) }

const (
	// storeTime is short because a runner does not wait much longer when its test has ended.
	storeTime = 2 * time.Second
	// bodyTime is how long a body may take to arrive.
	bodyTime = 20 * time.Second
	// maxToken is how long a token may be.
	maxToken = 16 << 10
	// maxProgress is how long a message of progress may be.
	maxProgress = 4 << 10
)

func (p *Push) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	what, err := p.handle(r.Context(), w, r)
	p.metrics.took(what, time.Since(began))
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	refused := refusalOf(err)
	p.metrics.refused(refused.reason)
	level := slog.LevelDebug
	if refused.reason == reasonUnavailable || refused.reason == reasonReadOnly {
		level = slog.LevelWarn
	}
	p.log.Log(r.Context(), level, "A push was refused", "path", r.URL.Path, "code", refused.code, "reason", refused.reason, "error", err)
	refused.answer(w)
}

// What a request may be about, as the metrics name it, besides the kinds of streams.
const (
	whatUnknown  = "unknown"
	whatProgress = "progress"
	whatEnd      = "end"
)

func (p *Push) handle(ctx context.Context, w http.ResponseWriter, r *http.Request) (what string, err error) {
	if r.Method != http.MethodPut {
		w.Header().Set("Allow", http.MethodPut)
		return whatUnknown, &refusal{http.StatusMethodNotAllowed, reasonInvalid, "the method is " + r.Method + ": it is PUT"}
	}
	target, err := push.ParseTarget(r.URL)
	if err != nil {
		return whatUnknown, invalid(err)
	}
	what = whatOf(target)
	owner, err := p.ownerOf(ctx, r.Header, target.Attempt)
	if err != nil {
		return what, err
	}
	release, err := p.gate.enter(owner)
	if err != nil {
		return what, err
	}
	defer release()
	switch {
	case target.Progress:
		err = p.takeProgress(w, r, owner)
	case target.End:
		err = p.takeEnd(ctx, w, r, owner)
	default:
		err = p.takeChunk(ctx, w, r, owner, target)
	}
	return what, err
}

func whatOf(target push.Target) string {
	switch {
	case target.Progress:
		return whatProgress
	case target.End:
		return whatEnd
	}
	return string(target.Stream.Kind)
}

// ownerOf is the attempt of the request's token, which has to be that of the path.
func (p *Push) ownerOf(ctx context.Context, header http.Header, attempt push.Attempt) (archive.Owner, error) {
	scheme, token, _ := strings.Cut(header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" || len(token) > maxToken {
		return archive.Owner{}, &Denial{true, "the request has no bearer token: send that of " + push.TokenFile}
	}
	owner, err := p.reviewer.Review(ctx, token, reviewTTL)
	if err != nil {
		return archive.Owner{}, err
	}
	ended, err := p.store.HasEnded(ctx, owner.UID, owner.Attempt)
	if err == nil && ended {
		owner, err = p.reviewer.Review(ctx, token, endedTTL)
	}
	if err != nil {
		return archive.Owner{}, err
	}
	if attempt != (push.Attempt{Namespace: owner.Namespace, Name: owner.Name, UID: owner.UID, Number: owner.Attempt}) {
		return archive.Owner{}, &Denial{false, fmt.Sprintf("the token is that of attempt %d of the run %s in %s, and of no other",
			owner.Attempt, owner.Name, owner.Namespace)}
	}
	return owner, nil
}

// storing bounds what a request stores. What was read whole is stored even if the runner has hung up.
func (p *Push) storing(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), p.storeTime)
}

// readBody reads a body of at most limit bytes.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, &refusal{http.StatusRequestEntityTooLarge, reasonTooLarge, tooLarge(limit)}
	}
	control := http.NewResponseController(w)
	// A test's own server may not know deadlines.
	_ = control.SetReadDeadline(time.Now().Add(bodyTime))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	_ = control.SetReadDeadline(time.Time{})
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		return nil, &refusal{http.StatusRequestEntityTooLarge, reasonTooLarge, tooLarge(limit)}
	case err != nil:
		return nil, &refusal{http.StatusServiceUnavailable, reasonBrokeOff, "the body breaks off: push it again"}
	}
	return body, nil
}

func tooLarge(limit int64) string { return fmt.Sprintf("the body has more than %d bytes", limit) }

// readMessage reads a body that is JSON.
func readMessage(w http.ResponseWriter, r *http.Request, limit int64, into any) error {
	body, err := readBody(w, r, limit)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return invalid(fmt.Errorf("the body is not what it should be: %w", err))
	}
	return nil
}
