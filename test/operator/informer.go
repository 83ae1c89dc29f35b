package operator

import (
	"context"
	"reflect"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
)

// Misled returns cache options whose informers list and then watch, so that a test can come between: since names the revision of
// the past that a list of the kind is to show, or none for the present, and pass lets the events of the kind through.
func Misled(options cache.Options, since func(kind string) string, pass func(kind string, events watch.Interface) watch.Interface) cache.Options {
	options.NewInformer = func(from toolscache.ListerWatcher, object runtime.Object, resync time.Duration, indexers toolscache.Indexers) toolscache.SharedIndexInformer {
		kind := reflect.TypeOf(object).Elem().Name()
		source := toolscache.ToListerWatcherWithContext(from)
		return toolscache.NewSharedIndexInformer(listing{&toolscache.ListWatch{
			ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
				if revision := since(kind); revision != "" {
					options.ResourceVersion, options.ResourceVersionMatch = revision, metav1.ResourceVersionMatchExact
				}
				return source.ListWithContext(ctx, options)
			},
			WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
				events, err := source.WatchWithContext(ctx, options)
				if err != nil {
					return nil, err
				}
				return pass(kind, events), nil
			},
		}}, object, resync, indexers)
	}
	return options
}

// listing is a source that lists first and then watches, so that what is watched are changes and no first states.
type listing struct{ *toolscache.ListWatch }

func (listing) IsWatchListSemanticsUnSupported() bool { return true }
