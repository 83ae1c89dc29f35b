package web

import (
	"context"

	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/sync/errgroup"
)

// Me is who asks.
type Me struct {
	Username string `json:"username" doc:"As the API server knows you."`
}

type meOutput struct{ Body Me }

// NamespaceList are names of namespaces.
type NamespaceList struct {
	Items []string `json:"items" nullable:"false"`
	All   bool     `json:"all" doc:"You may see the runs of all namespaces."`
}

type namespacesOutput struct{ Body NamespaceList }

func (s *server) registerMe(api huma.API) {
	me := operation{id: "get-me", path: "/me", summary: "Who you are"}.in(Root)
	me.Tags = []string{"me"}
	huma.Register(api, me, func(ctx context.Context, _ *none) (*meOutput, error) {
		return &meOutput{Me{userOf(ctx).Username}}, nil
	})
	list := operation{
		id: "list-namespaces", path: "/namespaces", summary: "Your namespaces", description: "Those that have runs here which you may see, by name.",
	}.in(Root)
	list.Tags = []string{"me"}
	huma.Register(api, list, func(ctx context.Context, _ *none) (*namespacesOutput, error) {
		found, err := s.namespaces(ctx)
		if err != nil {
			return nil, s.told(ctx, err)
		}
		return &namespacesOutput{found}, nil
	})
}

// namespaces are those of which the caller may see the runs.
func (s *server) namespaces(ctx context.Context) (NamespaceList, error) {
	found := NamespaceList{Items: []string{}}
	names, err := s.store.Namespaces(ctx)
	if err != nil {
		return found, err
	}
	if found.All, err = s.may(ctx, "", toRun); err != nil {
		return found, err
	}
	allowed := make([]bool, len(names))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxReviews / 4)
	for i, name := range names {
		group.Go(func() (err error) {
			allowed[i] = found.All
			if !found.All {
				allowed[i], err = s.may(ctx, name, toRun)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return found, err
	}
	for i, name := range names {
		if allowed[i] {
			found.Items = append(found.Items, name)
		}
	}
	return found, nil
}

// may says whether the caller may get that subresource of testruns in the namespace.
func (s *server) may(ctx context.Context, namespace, subresource string) (bool, error) {
	may, err := s.rights.may(ctx, userOf(ctx), namespace, subresource)
	if err != nil {
		s.log.ErrorContext(ctx, "Rights cannot be checked", "error", err)
		err = huma.ErrorWithHeaders(huma.Error503ServiceUnavailable("The API server cannot be asked what you may see. Try again."), retrySoon)
	}
	return may, err
}
