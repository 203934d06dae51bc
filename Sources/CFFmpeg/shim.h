// What Swift sees of FFmpeg: its public headers, and the macros that the importer cannot read.
#ifndef LOOPY_CFFMPEG_SHIM_H
#define LOOPY_CFFMPEG_SHIM_H

#include <libavcodec/avcodec.h>
#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <libavformat/avformat.h>
#include <libavutil/channel_layout.h>
#include <libavutil/display.h>
#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswresample/swresample.h>
#include <libswscale/swscale.h>

static const int64_t loopy_no_pts = AV_NOPTS_VALUE;
static const int loopy_error_eof = AVERROR_EOF;
static const int loopy_error_again = AVERROR(EAGAIN);
static const int loopy_error_no_memory = AVERROR(ENOMEM);
static const int loopy_error_invalid_data = AVERROR_INVALIDDATA;

// FFmpeg 5.1 introduced AVChannelLayout and 6.1 moved the interlacing flags; both spellings end here.
static inline int loopy_frame_is_interlaced(const AVFrame *frame) {
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(58, 7, 100)
    return (frame->flags & AV_FRAME_FLAG_INTERLACED) != 0;
#else
    return frame->interlaced_frame;
#endif
}

// How long a decoded picture is shown, in ticks of its stream; 0 when the container does not say.
static inline int64_t loopy_frame_duration(const AVFrame *frame) {
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(57, 30, 100)
    return frame->duration;
#else
    return frame->pkt_duration;
#endif
}

// The display matrix of a stream, from its side data; NULL when it has none.
static inline const int32_t *loopy_stream_display_matrix(const AVStream *stream) {
#if LIBAVFORMAT_VERSION_INT >= AV_VERSION_INT(60, 15, 100)
    const AVPacketSideData *side = av_packet_side_data_get(
        stream->codecpar->coded_side_data, stream->codecpar->nb_coded_side_data,
        AV_PKT_DATA_DISPLAYMATRIX);
    return side && side->size >= 9 * sizeof(int32_t) ? (const int32_t *)side->data : NULL;
#else
    size_t size = 0;
    uint8_t *data = av_stream_get_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
    return data && size >= 9 * sizeof(int32_t) ? (const int32_t *)data : NULL;
#endif
}

#endif
