package jobspec

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// sized is a run of so many containers and params, whose values are that text.
func sized(containers, params int, value string) Request {
	asked := asking()
	spec := asked.Asked.TestSpec
	spec.Template.Spec.Containers = make([]corev1.Container, containers)
	for i := range containers {
		spec.Template.Spec.Containers[i].Name = fmt.Sprintf("c%d", i)
	}
	for i := range params {
		spec.Params = append(spec.Params, v1alpha1.ParamSpec{Name: fmt.Sprintf("P%d", i), Default: ptr.To(value)})
	}
	return asked
}

func TestAJobThatWouldBeTooLargeIsNotRendered(t *testing.T) {
	dollars := strings.Repeat("$", 1024)
	for name, test := range map[string]struct {
		asked Request
		fits  bool
	}{
		"an ordinary run":                               {sized(2, 10, "x"), true},
		"as much text as fits":                          {sized(10, 64, strings.Repeat("x", 1000)), true},
		"the same text in signs that are written twice": {sized(10, 64, strings.Repeat("$", 1000)), false},
		"as many containers as a template may hold":     {sized(64, 64, "x"), true},
		"8,000 containers, as were once accepted":       {sized(8000, 64, dollars), false},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			job, err := Render(test.asked, Runner{}, FirstAttempt)
			runtime.ReadMemStats(&after)
			refused := (*Refusal)(nil)
			if errors.As(err, &refused) == test.fits || (job != nil) != test.fits {
				t.Fatalf("it fits: %v (%v), want %v", job != nil, err, test.fits)
			}
			if refused != nil && (refused.Reason != v1alpha1.ReasonJobTooLarge || !refused.Final) {
				t.Errorf("it is refused with %+v", refused)
			}
			if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 64<<20 {
				t.Errorf("it took %d MiB of memory", allocated>>20)
			}
			if test.fits && job.Size() > maxJob {
				t.Errorf("its Job has %d bytes, more than %d", job.Size(), maxJob)
			}
		})
	}
}

func TestTheSizeOfAJobIsNotUnderestimated(t *testing.T) {
	asked := sized(5, 20, "costs $(A) $$ each")
	estimated, rendered := sizeOfJob(asked.Asked.TestSpec.Template, asked.Definition().Params), asked.job(FirstAttempt).Size()
	if estimated < rendered {
		t.Errorf("it is estimated at %d bytes, and has %d before Kubernetes adds anything", estimated, rendered)
	}
}
