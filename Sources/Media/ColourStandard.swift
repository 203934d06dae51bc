import CFFmpeg

/// The matrix that a picture's Y'CbCr were made with.
enum ColourStandard {
    case bt601, bt709, bt2020

    /// Pictures that do not say are taken as players take them: BT.709 from 720 rows.
    init(_ frame: Frame) {
        switch frame.colorspace {
        case AVCOL_SPC_BT709: self = .bt709
        case AVCOL_SPC_BT2020_NCL, AVCOL_SPC_BT2020_CL: self = .bt2020
        case AVCOL_SPC_UNSPECIFIED where frame.height >= 720: self = .bt709
        default: self = .bt601
        }
    }

    /// The weights of red and blue in luma.
    var weights: (red: Float, blue: Float) {
        switch self {
        case .bt601: (0.299, 0.114)
        case .bt709: (0.2126, 0.0722)
        case .bt2020: (0.2627, 0.0593)
        }
    }

    /// The number that libswscale has for it.
    var number: Int32 {
        switch self {
        case .bt601: SWS_CS_DEFAULT
        case .bt709: SWS_CS_ITU709
        case .bt2020: SWS_CS_BT2020
        }
    }

    /// The name that FFmpeg's filters have for it.
    var name: String {
        switch self {
        case .bt601: "bt601"
        case .bt709: "bt709"
        case .bt2020: "bt2020"
        }
    }
}
