package main

import (
	"maps"
	"testing"
	"time"
)

const metrics = `# HELP apiserver_request_total [STABLE] Counter of apiserver requests
# TYPE apiserver_request_total counter
apiserver_request_total{code="201",component="apiserver",dry_run="",group="batch",resource="jobs",scope="resource",subresource="",verb="POST",version="v1"} 3
apiserver_request_total{code="409",component="apiserver",dry_run="",group="batch",resource="jobs",scope="resource",subresource="",verb="POST",version="v1"} 1
apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="pods",scope="resource",subresource="status",verb="PATCH",version="v1"} 1e+03
apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="pods",scope="resource",subresource="",verb="GET",version="v1"} 9
apiserver_request_total{code="200",component="apiserver",dry_run="",group="coordination.k8s.io",resource="leases",scope="resource",subresource="",verb="PUT",version="v1"} 9
apiserver_request_total{code="201",component="apiserver",dry_run="",group="authorization.k8s.io",resource="subjectaccessreviews",scope="resource",subresource="",verb="POST",version="v1"} 9
apiserver_request_total{code="201",component="apiserver",dry_run="",group="events.k8s.io",resource="events",scope="resource",subresource="",verb="POST",version="v1"} 2
# TYPE apiserver_response_sizes histogram
apiserver_response_sizes_count{group="batch",resource="jobs",verb="POST"} 9
# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total 12.5
`

func TestRequestsAreCountedByResourceAndVerbAndHeartbeatsAreNot(t *testing.T) {
	done, err := countServed([]byte(metrics))
	if err != nil {
		t.Fatal(err)
	}
	if done.cpu != 12500*time.Millisecond {
		t.Errorf("the CPU time is %s", done.cpu)
	}
	if done.reviews != 9 {
		t.Errorf("counted %v reviews", done.reviews)
	}
	got := done.requests
	want := requests{"jobs POST": 4, "pods GET": 9, "pods/status PATCH": 1000, "events POST": 2}
	if !maps.Equal(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
	if got.writes() != 1004 || got.events() != 2 {
		t.Errorf("%v writes and %v events", got.writes(), got.events())
	}
}

func TestADifferenceKnowsWhatIsOnOneSideOnly(t *testing.T) {
	got := requests{"both": 5, "same": 1, "left": 1}.minus(requests{"both": 3, "same": 1, "right": 4})
	if want := (requests{"both": 2, "left": 1, "right": -4}); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
