package ingest

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/testrun-dev/testrun/internal/archivestatus"
)

const (
	// statusPeriod is how often the ConfigMap is written at most.
	statusPeriod = 2 * time.Second
	// statusCheck is how often the ConfigMap is read without a reason: somebody may have changed or deleted it.
	statusCheck = 30 * time.Second
	// maxPassed is how many cursors of the past are remembered. There is one for each statusPeriod.
	maxPassed = 256
)

// StatusStore is what the watermark comes from.
type StatusStore interface {
	Cursor(ctx context.Context) (string, error)
	FirstUnsettled(ctx context.Context) (string, error)
}

// Status tells the operator, in a ConfigMap, up to where everything is stored, and what the key of this server is. See package archivestatus.
//
// What it says comes from the database each time. Every write is locked to what was read before it, so that of two replicas that both believe
// to lead neither takes back what the other has said. See docs/decisions/archive.md.
type Status struct {
	ConfigMaps corev1client.ConfigMapInterface
	Store      StatusStore
	// Pins returns what the server's key may be.
	Pins func() []string
	Log  *slog.Logger

	// seen is the ConfigMap as it was last read or written, at lookedAt; nil if it has to be read again.
	seen     *corev1.ConfigMap
	lookedAt time.Time
	// passed are cursors of the past, the oldest first. Everything up to each of them is stored.
	passed []string
	// problem is what was last logged.
	problem string
}

// Run writes the ConfigMap until the context ends.
func (s *Status) Run(ctx context.Context) {
	ticks := time.NewTicker(statusPeriod)
	defer ticks.Stop()
	for {
		s.say(s.step(ctx))
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
	}
}

// say logs an error when it is new.
func (s *Status) say(err error) {
	problem := ""
	if err != nil {
		problem = err.Error()
	}
	if problem != "" && problem != s.problem {
		s.Log.Warn("The operator is not told up to where everything is stored: finished runs wait for it for as long as its flag says", "error", err)
	}
	s.problem = problem
}

func (s *Status) step(ctx context.Context) error {
	if err := s.look(ctx); err != nil {
		return err
	}
	cursor, err := s.Store.Cursor(ctx)
	if err != nil {
		return fmt.Errorf("reading the cursor: %w", err)
	}
	// It is read after the cursor: an attempt that is added meanwhile belongs to a run beyond the cursor.
	unsettled, err := s.Store.FirstUnsettled(ctx)
	if err != nil {
		return fmt.Errorf("reading which attempts are not settled: %w", err)
	}
	next := archivestatus.Status{Watermark: s.watermark(cursor, unsettled), Pins: s.Pins()}.Data()
	if maps.Equal(next, s.seen.Data) {
		return nil
	}
	update := s.seen.DeepCopy()
	update.Data = next
	written, err := s.ConfigMaps.Update(ctx, update, metav1.UpdateOptions{})
	s.seen = written
	if err != nil {
		s.seen = nil
	}
	if apierrors.IsConflict(err) {
		return nil // another replica has written, or somebody else: the next step reads it
	}
	if err != nil {
		return fmt.Errorf("writing the ConfigMap %s: %w", archivestatus.ConfigMap, err)
	}
	return nil
}

func (s *Status) look(ctx context.Context) error {
	if s.seen != nil && time.Since(s.lookedAt) < statusCheck {
		return nil
	}
	seen, err := s.ConfigMaps.Get(ctx, archivestatus.ConfigMap, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("the ConfigMap %s does not exist: create it, empty (it is in config/server)", archivestatus.ConfigMap)
	}
	if err != nil {
		return fmt.Errorf("reading the ConfigMap %s: %w", archivestatus.ConfigMap, err)
	}
	s.seen, s.lookedAt = seen, time.Now()
	return nil
}

// watermark is up to where nothing is missing: everything up to the cursor is stored, and of what is before unsettled, the lowest version of a
// run with an attempt whose log may have to be read yet, the logs are. Empty if that is nowhere.
func (s *Status) watermark(cursor, unsettled string) string {
	if cursor == "" {
		return ""
	}
	if count := len(s.passed); count == 0 || s.passed[count-1] != cursor {
		s.passed = append(s.passed[max(0, count+1-maxPassed):], cursor)
	}
	said := ""
	if status, _ := archivestatus.Read(s.seen.Data); !isNewer(status.Watermark, cursor) {
		said = status.Watermark
	}
	if unsettled == "" || isNewer(unsettled, cursor) {
		return cursor
	}
	best := said
	for _, version := range s.passed {
		if isNewer(unsettled, version) && isNewer(version, best) && !isNewer(version, cursor) {
			best = version
		}
	}
	return best
}
