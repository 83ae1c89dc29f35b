package main

import (
	"bytes"
	"context"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

const (
	// podsKept is how many ended pods Kubernetes keeps (--terminated-pod-gc-threshold). It keeps any number of Jobs.
	podsKept = 12500

	// keptAtOnce is how many runs are stored in one transaction: etcd takes no more than 128 objects, nor 1.5 MiB.
	keptAtOnce = 40

	// keptAhead is how many the API server may not know of yet. It needs longer for each than etcd does.
	keptAhead = 2000
)

// kept are finished runs, each with its Job, and with its pod while there are no more than podsKept. They are copies of one run
// that the operator has brought to its end, byte for byte as the API server stored it, and go straight to etcd: through the API
// each would take six requests.
type kept struct {
	cluster *cluster
	n       int
	// name is that of the run that is copied, and uids are those of the run, its Job and its pod.
	name string
	uids []string
	// run, job and pod are what etcd holds of it.
	run, job, pod entry
}

// keptName has the same length for every run: see copied.
func keptName(i int) string { return fmt.Sprintf("kept-%06d", i) }

// fill stores as many runs as are missing.
func (k *kept) fill(ctx context.Context, upTo int) error {
	for k.n < upTo {
		for end := min(upTo, k.n+keptAhead); k.n < end; {
			var entries []entry
			for range min(keptAtOnce, end-k.n) {
				entries = append(entries, k.next()...)
			}
			if err := k.cluster.etcd.put(ctx, entries); err != nil {
				return fmt.Errorf("storing finished runs: %w", err)
			}
		}
		if err := k.cluster.catchUp(ctx); err != nil {
			return err
		}
		fmt.Printf("\r  %d of them are stored", k.n)
	}
	fmt.Println()
	return nil
}

// catchUp waits until the API server's cache knows what etcd holds. A list that asks for the newest state does not tell: when the
// cache is behind, it is answered from etcd. One that asks for a state not older than that is answered from the cache alone.
func (c *cluster) catchUp(ctx context.Context) error {
	for _, list := range []client.ObjectList{&v1alpha1.TestRunList{}, &batchv1.JobList{}, &corev1.PodList{}} {
		if err := c.List(ctx, list, client.Limit(1)); err != nil {
			return err
		}
		cached := &client.ListOptions{Namespace: metav1.NamespaceDefault, Raw: &metav1.ListOptions{
			ResourceVersion: list.GetResourceVersion(), ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan,
		}}
		err := wait.PollUntilContextTimeout(ctx, time.Second, patience, true, func(ctx context.Context) (bool, error) {
			err := c.List(ctx, list, cached)
			if apierrors.HasStatusCause(err, metav1.CauseTypeResourceVersionTooLarge) {
				return false, nil
			}
			return err == nil, err
		})
		if err != nil {
			return fmt.Errorf("waiting for the API server to know what etcd holds: %w", err)
		}
	}
	return nil
}

// next is one more run, with what it has left.
func (k *kept) next() []entry {
	replaced := [][2]string{{k.name, keptName(k.n)}}
	for _, uid := range k.uids {
		replaced = append(replaced, [2]string{uid, string(uuid.NewUUID())})
	}
	entries := []entry{copied(k.run, replaced), copied(k.job, replaced)}
	if k.n < podsKept {
		entries = append(entries, copied(k.pod, replaced))
	}
	k.n++
	return entries
}

// copied replaces what names the original. What takes its place is as long, and so fits into protocol buffers, too.
func copied(e entry, replaced [][2]string) entry {
	for _, pair := range replaced {
		e.Key = bytes.ReplaceAll(e.Key, []byte(pair[0]), []byte(pair[1]))
		e.Value = bytes.ReplaceAll(e.Value, []byte(pair[0]), []byte(pair[1]))
	}
	return e
}
