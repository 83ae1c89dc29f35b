package jobtable

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/jobtable/rows"
)

// takeRows makes runs of pending rows while there is room. Each look begins at the first row: a row that was inserted before others and
// committed after them is found, too.
func (p *pass) takeRows(ctx context.Context) error {
	isFirst, refused := true, 0
	return p.eachPage(ctx, rows.Pending, func(page []rows.Row) (more bool, err error) {
		if isFirst {
			p.rememberOldest(page)
			isFirst = false
		}
		if p.table.Spec.Suspend != nil && *p.table.Spec.Suspend {
			return false, nil
		}
		ctx, cancel := context.WithTimeout(ctx, actWithin)
		defer cancel()
		var taken []rows.Row
		for _, row := range page {
			ref := p.reference(row.Key)
			if _, isOpen := p.open[ref.name()]; !isOpen && !p.isPaused(ref) && len(taken) < p.room {
				taken = append(taken, row)
			}
		}
		err = p.each(len(taken), func(i int) error {
			ref := p.reference(taken[i].Key)
			err := p.take(ctx, ref, taken[i])
			if err != nil && isRefusal(err) {
				p.mu.Lock()
				defer p.mu.Unlock()
				p.memory.runs.add(ref.name(), ref.ID, rows.Bounded(err.Error(), 512), p.now)
				refused++
				return nil
			}
			return err
		})
		return p.room > 0 && refused < maxRefused, err
	})
}

// take makes the run of a pending row.
func (p *pass) take(ctx context.Context, ref reference, row rows.Row) error {
	if p.wasDeleted(ref) {
		run, err := p.askFor(ctx, ref)
		switch {
		case errors.Is(err, errNameTaken): // which the creation finds, too
		case err != nil:
			return err
		case run == nil:
			return p.act(ctx, endDeleted, ref, nil)
		}
	}
	run, err := render(p.table, ref, row)
	if err != nil {
		return p.end(ctx, ref, endWithout(v1alpha1.VerdictError, v1alpha1.ReasonInvalidRow, "The row makes no run: %v", err))
	}
	err = p.Client.Create(ctx, run)
	switch {
	case err == nil:
		p.Metrics.created.WithLabelValues(p.table.Name).Inc()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.room--
		delete(p.memory.runs, ref.name())
		return nil
	case apierrors.IsAlreadyExists(err):
		return p.takeExisting(ctx, ref)
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err):
		return p.end(ctx, ref, endWithout(v1alpha1.VerdictError, v1alpha1.ReasonInvalidRow, "Kubernetes refuses the run of the row: %s", rows.Bounded(err.Error(), 800)))
	default:
		return fmt.Errorf("%w: creating the run: %w", errAPI, err)
	}
}

// takeExisting goes on with a run that exists already: the cache was behind, another program was faster, or the answer was lost.
func (p *pass) takeExisting(ctx context.Context, ref reference) error {
	run, err := p.askFor(ctx, ref)
	switch {
	case errors.Is(err, errNameTaken):
		return p.end(ctx, ref, endWithout(v1alpha1.VerdictError, v1alpha1.ReasonRunNameTaken, "%v", err))
	case err != nil || run == nil:
		return err
	}
	if err := p.reopen(ctx, run); err != nil {
		return err
	}
	p.mu.Lock()
	p.room--
	p.mu.Unlock()
	return p.act(ctx, decide(rows.Pending, run), ref, run)
}

// wasDeleted says whether the run of the row was seen to go.
func (p *pass) wasDeleted(ref reference) bool {
	p.Reconciler.mu.Lock()
	defer p.Reconciler.mu.Unlock()
	return p.memory.deleted[ref.name()]
}

// isRefusal says whether the API server has answered, and does not take the run for now: a quota is full, or a right is missing.
func isRefusal(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && status.Status().Reason != metav1.StatusReasonUnknown || apierrors.IsTooManyRequests(err)
}

// rememberOldest notes since when the first pending row has waited.
func (p *pass) rememberOldest(page []rows.Row) {
	if len(page) == 0 || page[0].Age == nil {
		p.memory.oldest, p.memory.oldestSince = rows.Key{}, nil
		return
	}
	if p.memory.oldestSince != nil && p.memory.oldest == page[0].Key {
		return
	}
	const longest = 100 * 365 * 24 * time.Hour // a time that somebody made up may be any
	age := max(0, min(time.Duration(min(*page[0].Age, longest.Seconds())*float64(time.Second)), longest))
	since := metav1.NewTime(p.now.Add(-age).Truncate(time.Second))
	p.memory.oldest, p.memory.oldestSince = page[0].Key, &since
}
