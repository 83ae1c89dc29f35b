package remote

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"time"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// root is where the API of the archive begins.
const root = "/api/v1"

// Archive asks the server of the archive.
type Archive struct{ call *caller }

// Where says how to reach the server.
type Where struct {
	// URL is its address; empty to find it in the cluster.
	URL   string
	Trust Trust
	// Port is where it is reached on this machine, if it is found in the cluster; 0 for any.
	Port uint16
}

// OpenArchive finds the server. What leads there stays until the program ends.
func OpenArchive(ctx context.Context, cluster *Cluster, where Where) (*Archive, error) {
	token, err := Token(cluster.Config)
	if err != nil {
		return nil, err
	}
	base, trust, _, err := LeadToServer(ctx, cluster, where)
	if err != nil {
		return nil, err
	}
	call, err := newCaller(base, token, trust)
	return &Archive{call}, err
}

// LeadToServer is the address of the server, which can be used until lost says that the way there has ended, or until the program ends.
func LeadToServer(ctx context.Context, cluster *Cluster, where Where) (base *url.URL, trust Trust, lost <-chan error, err error) {
	if where.URL != "" {
		base, err := url.Parse(where.URL)
		if err != nil || base.Scheme != "https" || base.Host == "" {
			return nil, Trust{}, nil, fmt.Errorf("--archive is %q: write the address of the server, such as https://testrun.example.com, or none", where.URL)
		}
		return base, where.Trust, nil, nil
	}
	places, err := cluster.find(ctx, server)
	if err != nil {
		return nil, Trust{}, nil, err
	}
	port, lost, err := cluster.forward(ctx, server, places[0], where.Port)
	if err != nil {
		return nil, Trust{}, nil, err
	}
	// The API server leads to the pod, and nobody else can answer. The certificate names the Service, not this address.
	return &url.URL{Scheme: "https", Host: fmt.Sprintf("127.0.0.1:%d", port)}, Trust{Anybody: true}, lost, nil
}

// ArchivedRun is a run as the archive lists it.
type ArchivedRun struct {
	UID, Namespace, Name, Test, Queue string
	Phase, Verdict, Reason, Message   string
	Flaky                             bool
	Created                           time.Time
	Started, Finished, Deleted        *time.Time
	Cases                             Counts
	Progress                          *Progress
	// Attempts are known of a run that was asked for by its name.
	Attempts []ArchivedAttempt
}

// Counts are numbers of cases.
type Counts struct{ Passed, Failed, Errored, Skipped, Flaky int64 }

// Progress says how far a test is.
type Progress struct{ Done, Failed, Total int64 }

// ArchivedAttempt is an attempt, and how much of its output is kept.
type ArchivedAttempt struct {
	Number   int32
	Verdict  string
	Cases    Counts
	Progress *Progress
}

// ArchivedCase is a case as the archive has it.
type ArchivedCase struct {
	Suite, Name, Outcome, Location, Message string
	Seconds                                 float64
	Flaky                                   bool
	Mark                                    string
	FailingSince                            *struct{ Run string }
}

// Run is the newest run of that name.
func (a *Archive) Run(ctx context.Context, namespace, name string) (run ArchivedRun, err error) {
	err = a.call.read(ctx, &run, nil, root, "namespaces", namespace, "runs", name)
	return run, err
}

// Object is the TestRun of a run, as it was last.
func (a *Archive) Object(ctx context.Context, uid string) (*v1alpha1.TestRun, error) {
	run := &v1alpha1.TestRun{}
	err := a.call.read(ctx, run, nil, root, "runs", uid, "object")
	return run, err
}

// maxPage is how many items a page has at most.
const maxPage = 500

// Runs are the newest runs that a query selects: limit at most. more says that there are others. namespace is empty for all.
func (a *Archive) Runs(ctx context.Context, namespace string, query url.Values, limit int) (runs []ArchivedRun, more bool, err error) {
	path := []string{root, "namespaces", namespace, "runs"}
	if namespace == "" {
		path = []string{root, "runs"}
	}
	query.Set("limit", strconv.Itoa(min(limit, maxPage)))
	for {
		var page struct {
			Items []ArchivedRun
			Next  string
		}
		if err := a.call.read(ctx, &page, query, path...); err != nil {
			return nil, false, err
		}
		runs = append(runs, page.Items...)
		if page.Next == "" || len(runs) >= limit {
			return runs[:min(len(runs), limit)], page.Next != "" || len(runs) > limit, nil
		}
		query.Set("after", page.Next)
	}
}

// Cases are those of an attempt of a run: most at most, the failing ones first. attempt 0 is the last one. whole says that nothing is known
// to be missing.
func (a *Archive) Cases(ctx context.Context, uid string, attempt int32, most int) (cases []ArchivedCase, of int32, whole bool, err error) {
	whole = true
	for _, outcomes := range []string{"Failed,Errored", "Passed,Skipped"} {
		query := url.Values{"limit": {strconv.Itoa(maxPage)}, "outcome": {outcomes}}
		if attempt > 0 {
			query.Set("attempt", strconv.Itoa(int(attempt)))
		}
		for next := " "; next != ""; {
			var page struct {
				Attempt int32
				Kept    struct{ Completeness string }
				Items   []ArchivedCase
				Next    string
			}
			if err := a.call.read(ctx, &page, query, root, "runs", uid, "cases"); err != nil {
				return nil, 0, false, err
			}
			cases, of, next = append(cases, page.Items...), page.Attempt, page.Next
			whole = whole && (page.Kept.Completeness == "complete" || page.Kept.Completeness == "unverified")
			if len(cases) >= most {
				return cases[:most], of, false, nil
			}
			query.Set("after", next)
		}
	}
	return cases, of, whole, nil
}

// Output copies what an attempt of the run printed, and what it prints until it has ended if follow is set. It says how much of it is kept.
func (a *Archive) Output(ctx context.Context, w io.Writer, uid string, attempt int32, follow bool) (completeness string, err error) {
	query := url.Values{"gaps": {"mark"}}
	if attempt > 0 {
		query.Set("attempt", strconv.Itoa(int(attempt)))
	}
	if follow {
		query.Set("follow", "true")
	}
	response, err := a.call.get(ctx, query, root, "runs", uid, "output")
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	_, err = io.Copy(w, response.Body)
	return response.Header.Get("TestRun-Completeness"), err
}

// PageOf is the address of the page of a run, or of all runs of a namespace if it has no name.
func PageOf(base *url.URL, namespace, name string) string {
	page := base.JoinPath("/")
	if name != "" {
		page = base.JoinPath("namespaces", namespace, "runs", name)
	} else if namespace != "" {
		page.RawQuery = url.Values{"namespace": {namespace}}.Encode()
	}
	return page.String()
}
