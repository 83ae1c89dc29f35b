package release

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"sigs.k8s.io/yaml"
)

// The types by which helm knows a chart in a registry.
const (
	helmConfig = types.MediaType("application/vnd.cncf.helm.config.v1+json")
	helmChart  = types.MediaType("application/vnd.cncf.helm.chart.content.v1.tar+gzip")
)

// pushChart pushes the chart, as `helm push` would, to REGISTRY/charts/testrun.
func (p pusher) pushChart(release *Release, file string) error {
	chart, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	metadata, err := chartMetadata(chart)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	image, err := newChartImage(chart, metadata, release.Time)
	if err != nil {
		return err
	}
	return p.push(fmt.Sprintf("%s/charts/%s:%s", release.Registry, chartName, release.Version[1:]), image)
}

// chartMetadata is the Chart.yaml of a packed chart, as JSON.
func chartMetadata(chart []byte) ([]byte, error) {
	unzipped, err := gzip.NewReader(bytes.NewReader(chart))
	if err != nil {
		return nil, err
	}
	for files := tar.NewReader(unzipped); ; {
		header, err := files.Next()
		if err != nil {
			return nil, errors.Join(errors.New("it has no Chart.yaml"), err)
		}
		if header.Name != chartName+"/Chart.yaml" {
			continue
		}
		content, err := io.ReadAll(files)
		if err != nil {
			return nil, err
		}
		return yaml.YAMLToJSON(content)
	}
}

// chartImage is a chart as an image: its one layer is the chart, and its configuration is the chart's metadata.
type chartImage struct {
	config, manifest []byte
	chart            v1.Layer
}

func newChartImage(chart, metadata []byte, created time.Time) (v1.Image, error) {
	image := chartImage{config: metadata, chart: static.NewLayer(chart, helmChart)}
	config, err := partial.Descriptor(static.NewLayer(metadata, helmConfig))
	if err != nil {
		return nil, err
	}
	layer, err := partial.Descriptor(image.chart)
	if err != nil {
		return nil, err
	}
	image.manifest, err = json.Marshal(v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Config: *config, Layers: []v1.Descriptor{*layer},
		Annotations: map[string]string{"org.opencontainers.image.created": created.UTC().Format(time.RFC3339)},
	})
	if err != nil {
		return nil, err
	}
	return partial.CompressedToImage(image)
}

func (c chartImage) RawConfigFile() ([]byte, error)      { return c.config, nil }
func (c chartImage) RawManifest() ([]byte, error)        { return c.manifest, nil }
func (c chartImage) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }

func (c chartImage) LayerByDigest(digest v1.Hash) (partial.CompressedLayer, error) {
	if of, err := c.chart.Digest(); err != nil || of == digest {
		return c.chart, err
	}
	return partial.ConfigLayer(c)
}
