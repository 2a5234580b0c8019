package api

import (
	"context"
	"encoding/base64"
	"net/http"
	"regexp"
	"time"

	"github.com/labstack/echo/v4"
)

// AssetBytes is the largest file that is taken; pictures and fonts are smaller.
const AssetBytes = 8 << 30

// How long whoever downloads an asset may take.
const (
	downloadGrace = time.Minute
	downloadRate  = 16 << 10 // bytes a second
)

func assetID(a Asset) string { return a.Id }

// ListAssets answers GET /v1/assets.
func (s *Server) ListAssets(_ context.Context, r ListAssetsRequestObject) (ListAssetsResponseObject, error) {
	items, next := page(s.backend.ListAssets(), assetID, r.Params.Cursor, r.Params.Limit)
	return ListAssets200JSONResponse{Items: items, NextCursor: next}, nil
}

// GetAsset answers GET /v1/assets/{id}.
func (s *Server) GetAsset(_ context.Context, r GetAssetRequestObject) (GetAssetResponseObject, error) {
	found, err := s.backend.GetAsset(r.Id)
	if err != nil {
		return nil, err
	}
	return GetAsset200JSONResponse{found.Value, GetAsset200ResponseHeaders{etag(found.Revision)}}, nil
}

// DeleteAsset answers DELETE /v1/assets/{id}.
func (s *Server) DeleteAsset(ctx context.Context, r DeleteAssetRequestObject) (DeleteAssetResponseObject, error) {
	match, err := parseMatch(r.Params.IfMatch)
	if err != nil {
		return nil, err
	}
	return DeleteAsset204Response{}, s.backend.DeleteAsset(ctx, r.Id, match)
}

// uploadAsset answers POST /v1/assets.
func (s *Server) uploadAsset(c echo.Context) error {
	r := c.Request()
	digest, err := parseDigest(r.Header.Get("Content-Digest"))
	if err != nil {
		return err
	}
	made, err := s.backend.CreateAsset(r.Context(), c.QueryParam("id"), c.QueryParam("name"), digest, r.Body)
	if err != nil {
		return err
	}
	c.Response().Header().Set("ETag", etag(made.Revision))
	c.Response().Header().Set("Location", "/v1/assets/"+made.Value.Id)
	return c.JSON(http.StatusCreated, made.Value)
}

var digestForm = regexp.MustCompile(`(?:^|,)\s*sha-256=:([A-Za-z0-9+/=]*):`)

// parseDigest reads the SHA-256 of a Content-Digest (RFC 9530, section 2); nil
// without one.
func parseDigest(header string) ([]byte, error) {
	if header == "" {
		return nil, nil
	}
	if match := digestForm.FindStringSubmatch(header); match != nil {
		if sum, err := base64.StdEncoding.DecodeString(match[1]); err == nil && len(sum) == 32 {
			return sum, nil
		}
	}
	return nil, problem(http.StatusBadRequest, "bad-digest", "The Content-Digest has no SHA-256 in it.", "Send sha-256=:BASE64:, or no such header.")
}

// downloadAsset answers GET /v1/assets/{id}/content. What somebody uploaded is
// never a page of this host.
func (s *Server) downloadAsset(c echo.Context) error {
	file, asset, err := s.backend.OpenAsset(c.Param("id"))
	if err != nil {
		return err
	}
	defer file.Close()
	header := c.Response().Header()
	header.Set("Content-Type", contentType(asset.Format))
	header.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	if asset.Kind != Image {
		header.Set("Content-Disposition", "attachment")
	}
	header.Set("ETag", `"`+asset.Sha256+`"`)
	header.Set("Cache-Control", "private, no-cache")
	allowed := downloadGrace + time.Duration(asset.Bytes/downloadRate)*time.Second
	// A writer without deadlines is a test's.
	_ = http.NewResponseController(c.Response()).SetWriteDeadline(time.Now().Add(allowed))
	http.ServeContent(c.Response(), c.Request(), "", asset.CreatedAt.Time, file)
	return nil
}

func contentType(format AssetFormat) string {
	switch format {
	case Png, Jpeg, Webp:
		return "image/" + string(format)
	case Mp4:
		return "video/mp4"
	case Mpegts:
		return "video/mp2t"
	}
	return "font/sfnt"
}
