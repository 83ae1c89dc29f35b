package e2e

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/kit"
)

// world is one test's namespace, and all that ever happened in it.
type world struct {
	*kit.World
	history *history
}

// newWorld makes a namespace for a test that runs beside others.
func newWorld(t *testing.T, labels ...string) *world {
	t.Helper()
	t.Parallel()
	return newSerialWorld(t, labels...)
}

// newSerialWorld makes a namespace, with labels given as key, value. When the test ends it checks what holds for every run
// whatever happens to it; then it deletes the namespace, or says what is in it if the test has failed.
func newSerialWorld(t *testing.T, labels ...string) *world {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "e2e-", Labels: map[string]string{}}}
	for i := 0; i+1 < len(labels); i += 2 {
		namespace.Labels[labels[i]] = labels[i+1]
	}
	w := &world{World: &kit.World{
		T: t, Ctx: t.Context(), Client: cluster.client, Patience: 90 * time.Second, Interval: 200 * time.Millisecond,
	}}
	w.Must(w.Client.Create(w.Ctx, namespace))
	w.Namespace = namespace.Name
	w.history = w.record()
	t.Cleanup(func() {
		w.Ctx = context.Background() // the test's own is over
		w.history.end()
		w.history.check(t)
		if t.Failed() {
			w.explain()
			return
		}
		w.Must(w.Client.Delete(w.Ctx, namespace))
	})
	return w
}

// exitCode is that of the run's first attempt; -1 if there is none.
func exitCode(run *v1alpha1.TestRun) int32 {
	if len(run.Status.Attempts) == 0 {
		return -1
	}
	return ptr.Deref(run.Status.Attempts[0].ExitCode, -1)
}
