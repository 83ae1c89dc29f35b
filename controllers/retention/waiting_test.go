package retention

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/testrun-dev/testrun/internal/archivestatus"
)

func request(name string) reconcile.Request {
	return reconcile.Request{NamespacedName: types.NamespacedName{Namespace: "default", Name: name}}
}

func upTo(watermark int) archivestatus.Status {
	return archivestatus.Status{Watermark: strconv.Itoa(watermark)}
}

// woken are the names that are in the queue, in order.
type woken struct {
	workqueue.TypedRateLimitingInterface[reconcile.Request]
}

func withQueue(t *testing.T, w *waiting) woken {
	t.Helper()
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
	t.Cleanup(queue.ShutDown)
	if err := w.source(t.Context(), queue); err != nil {
		t.Fatal(err)
	}
	return woken{queue}
}

func (w woken) names() []string {
	var names []string
	for w.Len() > 0 {
		next, _ := w.Get()
		w.Done(next)
		names = append(names, next.Name)
	}
	return names
}

func TestThoseAreWokenWhoseVersionIsStoredTheEarliestFirst(t *testing.T) {
	w := newWaiting()
	queue := withQueue(t, w)
	w.add(request("c"), "30")
	w.add(request("a"), "9")
	w.add(request("b"), "10")
	w.add(request("d"), "100")
	for _, step := range []struct {
		watermark int
		want      []string
	}{
		{8, nil},
		{29, []string{"a", "b"}},
		{29, nil},
		{9, nil}, // it went back
		{100, []string{"c", "d"}},
	} {
		w.wake(upTo(step.watermark))
		if got := queue.names(); !slices.Equal(got, step.want) {
			t.Errorf("up to %d %q are woken, want %q", step.watermark, got, step.want)
		}
	}
	if n := w.len(); n != 0 {
		t.Errorf("%d still wait", n)
	}
}

func TestOneThatWaitsForSeveralVersionsIsWokenByTheEarliest(t *testing.T) {
	w := newWaiting()
	queue := withQueue(t, w)
	for _, version := range []string{"20", "10", "30"} {
		w.add(request("suite"), version)
	}
	w.add(request("other"), "15")
	w.wake(upTo(10))
	if got := queue.names(); !slices.Equal(got, []string{"suite"}) {
		t.Errorf("%q are woken", got)
	}
}

func TestNobodyWaitsForWhatIsNoVersion(t *testing.T) {
	w := newWaiting()
	for _, version := range []string{"", "0", "x", "-1"} {
		w.add(request("run"), version)
	}
	if n := w.len(); n != 0 {
		t.Errorf("%d wait", n)
	}
}

func TestOneThatIsLookedAtWaitsNoLongerWhateverComesOfIt(t *testing.T) {
	w := newWaiting()
	queue := withQueue(t, w)
	w.add(request("gone"), "10")
	w.add(request("waits"), "10")
	look := w.looked(reconcile.Func(func(_ context.Context, looked reconcile.Request) (reconcile.Result, error) {
		if looked.Name == "waits" {
			w.add(looked, "10")
		}
		return reconcile.Result{}, nil
	}))
	for _, name := range []string{"gone", "waits", "another"} {
		if _, err := look.Reconcile(t.Context(), request(name)); err != nil {
			t.Fatal(err)
		}
	}
	w.wake(upTo(10))
	if got := queue.names(); !slices.Equal(got, []string{"waits"}) {
		t.Errorf("%q are woken, want the one that waits again", got)
	}
}

// A list that is searched from one end to the other is the plain way to do it.
func TestTheHeapWakesWhomAListWould(t *testing.T) {
	for seed := range uint64(50) {
		random, plain, w := rand.New(rand.NewPCG(seed, 0)), map[string]int{}, newWaiting()
		queue := withQueue(t, w)
		for range 300 {
			name, version := fmt.Sprintf("run-%d", random.IntN(40)), 1+random.IntN(1000)
			switch random.IntN(8) {
			case 0:
				var want []string
				for name, waitsFor := range plain {
					if waitsFor <= version {
						want = append(want, name)
						delete(plain, name)
					}
				}
				w.wake(upTo(version))
				if got := queue.names(); !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))) {
					t.Fatalf("seed %d: up to %d %q are woken, want %q", seed, version, got, want)
				}
			case 1:
				delete(plain, name)
				w.remove(request(name))
			default:
				if known, waits := plain[name]; !waits || version < known {
					plain[name] = version
				}
				w.add(request(name), strconv.Itoa(version))
			}
			if w.len() != len(plain) {
				t.Fatalf("seed %d: %d wait, want %d", seed, w.len(), len(plain))
			}
		}
	}
}
