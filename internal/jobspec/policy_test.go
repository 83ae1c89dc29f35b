package jobspec

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

func TestBackoffGrowsUpToItsCap(t *testing.T) {
	policy := resolveRetry(v1alpha1.Retry{}, v1alpha1.Retry{})
	var waits []time.Duration
	for attempt := range int32(8) {
		waits = append(waits, policy.Backoff(attempt+1)/time.Second)
	}
	if want := []time.Duration{10, 20, 40, 80, 160, 300, 300, 300}; !slices.Equal(waits, want) {
		t.Errorf("it waits %d seconds, want %d", waits, want)
	}
}

func TestTheRunsRetryGoesBeforeTheTestsFieldByField(t *testing.T) {
	own := v1alpha1.Retry{Failure: ptr.To[int32](0), Backoff: v1alpha1.Backoff{Factor: 1}}
	own.ExitCodes.Infrastructure = []int32{75}
	tests := v1alpha1.Retry{ExitCodes: v1alpha1.ExitCodes{Permanent: []int32{2}, Infrastructure: []int32{7}}, Failure: ptr.To[int32](3), Disruption: ptr.To[int32](4), Backoff: v1alpha1.Backoff{Factor: 5, Base: &v1alpha1.Duration{Duration: time.Minute}}}
	want := retryPolicy{Failure: 0, Disruption: 4, Base: time.Minute, Factor: 1, Cap: 5 * time.Minute, Permanent: []int32{2}, Infrastructure: []int32{75}}
	if got := resolveRetry(own, tests); !reflect.DeepEqual(got, want) {
		t.Errorf("it is %+v, want %+v", got, want)
	}
}
