# What of FFmpeg we build: sourced by ffmpeg.sh (whose cache key is the hash of these options) and ffmpeg-build.sh.
# shellcheck shell=bash disable=SC2034

# Every library that go-astiav links.
ffmpeg_libraries=(libavcodec libavdevice libavfilter libavformat libavutil libswresample libswscale)

ffmpeg_decoders=h264,hevc,libdav1d,av1,vp8,vp9,mpeg2video,mjpeg,png,webp,rawvideo
ffmpeg_decoders+=,aac,aac_fixed,aac_latm,libopus,opus,mp2,mp2float,mp3,mp3float,ac3,ac3_fixed,eac3
ffmpeg_decoders+=,pcm_s16le,pcm_f32le,pcm_alaw,pcm_mulaw
ffmpeg_decoders+=,h264_cuvid,hevc_cuvid,av1_cuvid,vp8_cuvid,vp9_cuvid,mpeg2_cuvid

ffmpeg_encoders=libx264,aac,libopus,mjpeg,png,rawvideo,pcm_s16le,pcm_f32le,h264_nvenc,hevc_nvenc,av1_nvenc

ffmpeg_hwaccels=h264_nvdec,hevc_nvdec,av1_nvdec,vp8_nvdec,vp9_nvdec,mpeg2_nvdec

ffmpeg_parsers=h264,hevc,av1,vp8,vp9,mpegvideo,mjpeg,png,webp,aac,aac_latm,opus,mpegaudio,ac3

ffmpeg_bsfs=null,extract_extradata,dump_extradata,remove_extradata,filter_units,setts
ffmpeg_bsfs+=,h264_mp4toannexb,h264_metadata,h264_redundant_pps,hevc_mp4toannexb,hevc_metadata
ffmpeg_bsfs+=,av1_frame_merge,av1_frame_split,av1_metadata,vp9_superframe,vp9_superframe_split,vp9_metadata
ffmpeg_bsfs+=,mpeg2_metadata,aac_adtstoasc,opus_metadata

ffmpeg_filters=buffer,buffersink,null,format,scale,fps,setpts,setparams,colorspace,yadif,bwdif
ffmpeg_filters+=,abuffer,abuffersink,anull,aformat,aresample,asetpts,volume,amix,pan,alimiter,ebur128,loudnorm

ffmpeg_demuxers=mov,matroska,mpegts,flv,h264,hevc,aac,wav,rawvideo
ffmpeg_muxers=mov,mp4,matroska,mpegts,flv,h264,hevc,adts,wav,null,rawvideo

ffmpeg_options=(
	--disable-everything --disable-autodetect --disable-programs --disable-doc --disable-debug
	--disable-network --disable-postproc
	--enable-shared --disable-static --enable-rpath
	--enable-gpl --enable-libx264 --enable-libopus --enable-libdav1d --enable-zlib
	--enable-ffnvcodec --enable-cuda --enable-nvenc --enable-nvdec --enable-cuvid
	"--enable-decoder=$ffmpeg_decoders"
	"--enable-encoder=$ffmpeg_encoders"
	"--enable-hwaccel=$ffmpeg_hwaccels"
	"--enable-parser=$ffmpeg_parsers"
	"--enable-bsf=$ffmpeg_bsfs"
	"--enable-filter=$ffmpeg_filters"
	"--enable-demuxer=$ffmpeg_demuxers"
	"--enable-muxer=$ffmpeg_muxers"
	--enable-protocol=file,pipe
)
