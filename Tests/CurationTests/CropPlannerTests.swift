import Curation
import Media
import Perception
import TestSupport
import Testing

@Suite struct CropPlannerTests {
    private func planner(
        _ width: Int, _ height: Int, change: (inout ClipSettings) -> Void = { _ in }
    ) -> CropPlanner {
        var settings = ClipSettings()
        change(&settings)
        return CropPlanner(settings: settings, width: width, height: height)
    }

    /// Pictures of all sizes, odd ones too, with heads anywhere, also half outside.
    private static let cases: [(width: Int, height: Int, head: Box, face: Double)] = {
        var numbers = FixedNumbers(17)
        return (0..<5000).map { _ in
            let width = Int.random(in: 64...2000, using: &numbers)
            let height = Int.random(in: 64...2000, using: &numbers)
            let size = Double.random(in: 20...900, using: &numbers)
            let x = Double.random(in: 0...Double(width), using: &numbers)
            let y = Double.random(in: 0...Double(height), using: &numbers)
            let head = Box(
                left: x - size * 0.4, top: y - size / 2, right: x + size * 0.4, bottom: y + size / 2
            )
            return (width, height, head, size * 0.6)
        }
    }()

    @Test func cropsHoldTheHeadInsideThePicture() throws {
        var fitting = 0
        for (width, height, head, face) in Self.cases {
            let picture = Box(left: 0, top: 0, right: Double(width), bottom: Double(height))
            let visible = head.intersection(picture)
            let needed = max(visible.width, visible.height)
            let plan = planner(width, height).plan(heads: [head], faceHeight: face)
            guard needed <= Double(min(width, height)) else {
                #expect(plan.headShare < 1, "\(plan) of \(head) in \(width)x\(height)")
                continue
            }
            fitting += 1
            #expect(plan.headShare == 1)
            let crop = plan.square
            #expect(crop.x % 2 == 0 && crop.y % 2 == 0 && crop.side % 2 == 0)
            #expect(crop.x >= 0 && crop.x + crop.side <= width, "\(crop) in \(width)")
            #expect(crop.y >= 0 && crop.y + crop.side <= height, "\(crop) in \(height)")
            // Even numbers may cost two pixels where there is no room.
            #expect(Double(crop.x) <= visible.left + 2)
            #expect(Double(crop.y) <= visible.top + 2)
            #expect(Double(crop.x + crop.side) >= visible.right - 2)
            #expect(Double(crop.y + crop.side) >= visible.bottom - 2)
        }
        #expect(fitting > 3000)
    }

    @Test func paddedCropsHoldEveryHead() throws {
        var outside = 0
        for (width, height, head, face) in Self.cases {
            let picture = Box(left: 0, top: 0, right: Double(width), bottom: Double(height))
            let visible = head.intersection(picture)
            let crop =
                planner(width, height) { $0.outside = .pad }.plan(heads: [head], faceHeight: face)
                .square
            #expect(crop.x % 2 == 0 && crop.y % 2 == 0 && crop.side % 2 == 0)
            #expect(Double(crop.x) <= visible.left + 2 && Double(crop.y) <= visible.top + 2)
            #expect(Double(crop.x + crop.side) >= visible.right - 2)
            #expect(Double(crop.y + crop.side) >= visible.bottom - 2)
            if max(visible.width, visible.height) > Double(min(width, height)) {
                outside += 1
                #expect(crop.side > min(width, height))
            }
        }
        #expect(outside > 100)
    }

    @Test func theFaceHasItsShareOfTheSide() throws {
        let head = Box(left: 400, top: 300, right: 560, bottom: 500)
        let crop = planner(1920, 1080).plan(heads: [head], faceHeight: 150).square
        #expect(crop.side == 250)  // 150 / 0.6
        #expect(crop.x + crop.side / 2 == 480 || crop.x + crop.side / 2 == 481)
        #expect(crop.y + crop.side / 2 == 400 || crop.y + crop.side / 2 == 401)
    }

    @Test func theHeadAndItsMarginComeFirst() throws {
        // The head moves through 400 pixels: the face's share becomes smaller.
        let head = Box(left: 400, top: 300, right: 800, bottom: 500)
        let crop = planner(1920, 1080).plan(heads: [head], faceHeight: 150).square
        #expect(crop.side == 440)  // 400 and a twentieth on either side
        let tight = planner(1920, 1080) { $0.margin = 0 }
        #expect(tight.plan(heads: [head], faceHeight: 150).square.side == 400)
    }

    /// A portrait video that is cut to the head already: the head is taller than the picture is wide.
    @Test func hairGivesWayWhereTheSquareNearlyFits() throws {
        let head = Box(left: 20, top: 4, right: 160, bottom: 204)
        func plan(_ change: (inout ClipSettings) -> Void = { _ in }) -> CropPlanner.Plan {
            var settings = ClipSettings()
            change(&settings)
            return CropPlanner(settings: settings, width: 180, height: 220)
                .plan(heads: [head], faceHeight: 150)
        }
        // The chin stays: 20 pixels of 200 are cut off above.
        #expect(plan().square == CropSquare(x: 0, y: 24, side: 180))
        #expect(abs(plan().margin + 0.05) < 1e-9)
        #expect(abs(plan().headShare - 0.9) < 1e-9)
        let padded = plan { $0.outside = .pad }
        #expect(padded.square.side == 250 && padded.headShare == 1)
    }

    /// The square holds most of the way, but not the head at the end of it.
    @Test func everyPictureShowsEnoughOfTheHead() {
        let heads = (0...20).map { step in
            Box(left: 100, top: 20 * Double(step), right: 260, bottom: 20 * Double(step) + 200)
        }
        func share(_ heads: [Box]) -> Double {
            planner(500, 900).plan(heads: heads, faceHeight: 150).headShare
        }
        // 500 of 600 pixels: the first head loses 100 of its 200.
        #expect(share(heads) == 0.5)
        // 500 of 540: it loses 40.
        #expect(share(Array(heads.suffix(18))) == 0.8)
    }

    @Test func theMarginIsWhatThePictureLeaves() {
        let head = Box(left: 400, top: 300, right: 600, bottom: 500)
        func margin(_ width: Int, _ height: Int) -> Double {
            planner(width, height).plan(heads: [head], faceHeight: 60).margin
        }
        #expect(abs(margin(1920, 1080) - 0.05) < 1e-9)
        #expect(abs(margin(1920, 500) - 0.05) < 1e-9)
        let low = Box(left: 400, top: 0, right: 600, bottom: 200)
        let least = planner(1920, 208).plan(heads: [low], faceHeight: 60)
        #expect(least.square.side == 208)
        #expect(abs(least.margin - 0.02) < 1e-9)
    }

    @Test func thePictureIsTheLargestCrop() throws {
        let head = Box(left: 60, top: 10, right: 280, bottom: 239)
        let crop = planner(427, 240).plan(heads: [head], faceHeight: 200).square
        #expect(crop == CropSquare(x: 50, y: 0, side: 240))
    }

    /// A face at the right edge of a picture of odd width.
    @Test func oddPicturesGiveEvenPlaces() throws {
        let head = Box(left: 760, top: 100, right: 853, bottom: 200)
        let crop = planner(853, 480).plan(heads: [head], faceHeight: 70).square
        #expect(crop.x % 2 == 0)
        #expect(crop.x + crop.side <= 853 && crop.x + crop.side >= 851)
    }
}
