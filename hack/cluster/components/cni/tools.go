//go:build tools

// Package cni pins the CNI plugins that the cluster uses: importing them makes go.sum complete.
package cni

import (
	_ "github.com/containernetworking/plugins/plugins/ipam/host-local"
	_ "github.com/containernetworking/plugins/plugins/main/bridge"
)
