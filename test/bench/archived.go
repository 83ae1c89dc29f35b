package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// archiveName is that of the server's Deployment.
const archiveName = "testrun-server"

// archivedRound is what runs cost on real pods in one round: without an archive, and with one to which they push.
type archivedRound struct {
	Without archivedPart `json:"without"`
	With    archivedPart `json:"with"`
}

type archivedPart struct {
	part
	// KubeletCPU and ArchiveCPU are the CPU time of the kubelet and of the server, with the removal of the namespace.
	KubeletCPU float64 `json:"kubeletCPUMillisecondsPerRun"`
	ArchiveCPU float64 `json:"archiveCPUMillisecondsPerRun"`
}

// archivedRate is how many runs are created a second: so few that nothing piles up.
const archivedRate = 1

// sayingTest is a small suite: 500 cases, 60 KB of output.
const sayingTest = `print "1..500\n"; for my $i (1 .. 500) { print "# there are $i items in the basket\n" x 3, "ok $i - a basket of $i items\n" }`

// archived measures what an archived run costs. `make bench ONLY=archived-runs` deploys the server.
func (b *bench) archived(ctx context.Context, result *report) (err error) {
	restore, err := b.takeOver(ctx, result)
	defer func() { err = errors.Join(err, restore()) }()
	if err != nil {
		return err
	}
	with := b.kubernetes.managerArgs
	isURL := func(arg string) bool { return strings.HasPrefix(arg, "--archive-url=") }
	if !slices.ContainsFunc(with, isURL) {
		return errors.New("the deployed operator has no --archive-url: `make bench ONLY=archived-runs` deploys it with one")
	}
	without := slices.DeleteFunc(slices.Clone(with), isURL)
	// The server is there in the end, as it was deployed.
	defer func() { err = errors.Join(err, b.kubernetes.scale(context.WithoutCancel(ctx), archiveName, 1)) }()
	for i := range 1 + b.Rounds { // the first does not count: it finds cold caches
		fmt.Printf("archived runs, round %d of %d\n", i, b.Rounds)
		var r archivedRound
		for _, isArchived := range rand.Perm(2) {
			if isArchived == 1 {
				r.With, err = b.archivedPart(ctx, with, 1)
			} else {
				r.Without, err = b.archivedPart(ctx, without, 0)
			}
			if err != nil {
				return err
			}
		}
		if i > 0 {
			result.Archived = append(result.Archived, r)
		}
	}
	return nil
}

// archivedPart measures runs while there are so many servers.
func (b *bench) archivedPart(ctx context.Context, managerArgs []string, servers int32) (p archivedPart, err error) {
	if err := b.kubernetes.scaleAndWait(ctx, archiveName, servers); err != nil {
		return p, err
	}
	c := *b.kubernetes
	c.managerArgs = managerArgs
	operator, err := startManager(ctx, &c, b.manager, b.logFile())
	defer operator.stop()
	if err != nil {
		return p, err
	}
	template := realPod("archived", false, time.Now())
	template.Spec.Containers[0].Command = []string{"perl", "-e", sayingTest}
	before, err := cpuOf("kubelet", "server")
	if err != nil {
		return p, err
	}
	if p.part, err = b.part(ctx, operator, load{kind: testRuns, runs: b.Archived, clients: b.Clients, rate: archivedRate, template: template}); err != nil {
		return p, err
	}
	after, err := cpuOf("kubelet", "server")
	p.KubeletCPU = milliseconds(after["kubelet"]-before["kubelet"]) / float64(b.Archived)
	p.ArchiveCPU = milliseconds(after["server"]-before["server"]) / float64(b.Archived)
	return p, err
}

// scaleAndWait waits until there are exactly so many pods, all ready.
func (c *cluster) scaleAndWait(ctx context.Context, name string, replicas int32) error {
	if err := c.scale(ctx, name, replicas); err != nil {
		return err
	}
	err := wait.PollUntilContextTimeout(ctx, time.Second, patience, true, func(ctx context.Context) (bool, error) {
		deployment := &appsv1.Deployment{}
		if err := c.Get(ctx, client.ObjectKey{Namespace: operatorNamespace, Name: name}, deployment); err != nil {
			return false, err
		}
		pods := &corev1.PodList{}
		err := c.List(ctx, pods, client.InNamespace(operatorNamespace), client.MatchingLabels(deployment.Spec.Selector.MatchLabels))
		return err == nil && len(pods.Items) == int(replicas) && deployment.Status.ReadyReplicas == replicas, err
	})
	if err != nil {
		return fmt.Errorf("waiting for %d pods of %s: %w", replicas, name, err)
	}
	return nil
}

// cpuOf is the CPU time that the processes with these names have used so far. All of the cluster runs on this machine.
func cpuOf(names ...string) (map[string]time.Duration, error) {
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	sums := map[string]time.Duration{}
	for _, process := range processes {
		name, err := os.ReadFile(filepath.Join(process, "comm"))
		if err != nil || !slices.Contains(names, strings.TrimSpace(string(name))) {
			continue // it may have ended
		}
		stat, err := os.ReadFile(filepath.Join(process, "stat"))
		if err != nil {
			continue
		}
		used, err := cpuTime(stat)
		if err != nil {
			return nil, err
		}
		sums[strings.TrimSpace(string(name))] += used
	}
	return sums, nil
}

// printArchived has a column for each kind of runs, and one for what is added.
func printArchived(table io.Writer, rounds []archivedRound) {
	fmt.Fprintln(table, "\nRUNS ON REAL PODS\twithout an archive\twith one\tadded")
	for _, row := range []struct {
		what   string
		digits int
		figure func(archivedPart) float64
	}{
		{"created → finished, p50, ms", 0, func(p archivedPart) float64 { return p.UntilFinished.P50 }},
		{"API writes for each, without events", 2, func(p archivedPart) float64 { return p.Requests.writes() }},
		{"those of its run, Job and pod", 2, archivedPart.ownWrites},
		{"events for each", 2, func(p archivedPart) float64 { return p.Requests.events() }},
		{"reviews of tokens and rights for each", 2, func(p archivedPart) float64 { return p.Reviews }},
		{"pods read for each", 2, func(p archivedPart) float64 { return p.Requests["pods GET"] }},
		{"the API server's CPU time for each, ms", 1, func(p archivedPart) float64 { return p.ServerCPU }},
		{"the kubelet's CPU time for each, ms", 1, func(p archivedPart) float64 { return p.KubeletCPU }},
		{"the operator's CPU time for each, ms", 1, func(p archivedPart) float64 { return p.CPU }},
		{"the archive's CPU time for each, ms", 1, func(p archivedPart) float64 { return p.ArchiveCPU }},
		{"CPU time of the whole machine for each, ms", 0, func(p archivedPart) float64 { return p.MachineCPU }},
	} {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", row.what,
			sampleBy(rounds, func(r archivedRound) float64 { return row.figure(r.Without) }).show(row.digits),
			sampleBy(rounds, func(r archivedRound) float64 { return row.figure(r.With) }).show(row.digits),
			sampleBy(rounds, func(r archivedRound) float64 { return row.figure(r.With) - row.figure(r.Without) }).show(row.digits))
	}
	added := map[string][]float64{}
	for _, round := range rounds {
		for key, n := range round.With.Requests.minus(round.Without.Requests) {
			added[key] = append(added[key], n)
		}
	}
	printAdded(table, "API REQUESTS FOR EACH ARCHIVED RUN, BEYOND THOSE OF ANOTHER", added)
}

// ownWrites are the writes of a run, its Job and its pod. The archive writes its ConfigMap every two seconds at most, however many runs there are.
func (p archivedPart) ownWrites() float64 {
	return p.Requests.writes() - p.Requests["configmaps PUT"] - p.Requests["configmaps PATCH"]
}

func judgeArchived(rounds []archivedRound) []target {
	return []target{judged(target{What: "API writes that an archive adds to a run, its Job and its pod", Limit: 0.1}, rounds, func(r archivedRound) float64 {
		return r.With.ownWrites() - r.Without.ownWrites()
	})}
}
