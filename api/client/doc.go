// Package client calls a node's control API. It is generated from the OpenAPI
// document; import it where Go automates a node.
//
//	c, err := client.NewClientWithResponses("http://HOST:8080", client.WithKey(key))
//	answer, err := c.CutWithResponse(ctx, "main", client.CutRequest{Scene: "grid"})
package client
